"""Encoders from each kind of backbone, with each part a recipe can ask for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tiny_checkpoint import SPECIALS, make_idf, make_tokenizer
from tiny_encoder import SPECIAL_IDS, TEXTS, TOKENS, build, encode, names, weights

from opensearch_lsr.errors import CheckpointError, InputError
from opensearch_lsr.training import checkpoint, model
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.recipe_model import Model, Prior


def test_from_a_masked_lm(masked_lm: Path, checkpoint_folder: Callable[..., Path]) -> None:
    """The same weights as the ready-made checkpoint; special tokens never fire."""
    built, made = build(masked_lm), checkpoint.load(checkpoint_folder("router")).eval()
    assert names(built) == ["Transformer", "SpladePooling"]
    vectors = encode(built)
    expected = encode(made).detach()
    assert expected[:, SPECIAL_IDS].any()
    expected[:, SPECIAL_IDS] = 0
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-5)
    assert (vectors[0] > 0).sum() > 3
    assert built.device.type == "cpu"
    assert {parameter.dtype for parameter in built.parameters()} == {torch.float32}


def test_unused_tokens_stay_silent(headless: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unused"
    shutil.copytree(headless, folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace('"short"', '"[unused7]"'), encoding="utf-8")
    decoder = checkpoint.document_modules(build(folder))[0].auto_model.get_output_embeddings()
    silent = [TOKENS[index] for index in (decoder.bias < -1000).nonzero().squeeze(1)]
    assert silent == [*SPECIALS, "short"]


def test_from_a_backbone_without_a_head(headless: Path, masked_lm: Path) -> None:
    """Its weights as they are, and a head that is nearly the identity with a decoder tied to the embeddings."""
    lm = checkpoint.document_modules(build(headless))[0].auto_model
    with_head = checkpoint.document_modules(build(masked_lm))[0].auto_model
    expected = with_head.bert.state_dict()
    assert expected.keys() == lm.bert.state_dict().keys()
    for name, value in lm.bert.state_dict().items():
        assert torch.equal(value, expected[name]), name
    dense = lm.cls.predictions.transform.dense
    assert (dense.weight - torch.eye(32)).abs().max() < 0.2
    assert not dense.bias.any()
    assert lm.get_output_embeddings().weight is lm.get_input_embeddings().weight
    bias = lm.get_output_embeddings().bias
    assert (bias[SPECIAL_IDS] < -1000).all()
    assert not bias[len(SPECIALS) :].any()


def test_identity_start(headless: Path) -> None:
    """A document's own tokens are among its heaviest."""
    encoder = build(headless)
    vectors = encode(encoder)
    for text, vector in zip(TEXTS, vectors, strict=True):
        own = torch.zeros(len(TOKENS), dtype=torch.bool)
        own[[TOKENS.index(word) for word in text.split() if word in TOKENS]] = True
        others = ~own
        others[SPECIAL_IDS] = False
        assert vector[own].min() > vector[others].quantile(0.95)


def test_a_head_that_is_there_is_kept(masked_lm: Path) -> None:
    lm = checkpoint.document_modules(build(masked_lm))[0].auto_model
    bias = lm.get_output_embeddings().bias
    assert (bias[len(SPECIALS) :] == -13).all()  # as tiny_checkpoint made it


def test_gone_on_with(checkpoint_folder: Callable[..., Path]) -> None:
    """A SparseEncoder folder: its document side."""
    folder = checkpoint_folder("router")
    built = build(folder)
    assert names(built) == ["Transformer", "SpladePooling"]
    before = encode(checkpoint.load(folder).eval())
    assert (before[:, SPECIAL_IDS] > 0).any()
    before[:, SPECIAL_IDS] = 0  # as in what is exported
    torch.testing.assert_close(encode(built), before, rtol=1e-4, atol=1e-5)
    assert weights(built, "a tap", "query") == {"a": 1.0, "tap": 1.0}  # the recipe's table, not the folder's
    asked = Model(str(folder), max_length=64)
    table = checkpoint.query_table(checkpoint.load(folder)).weight.clone()
    table[SPECIAL_IDS] = 0
    assert torch.equal(checkpoint.query_table(model.build(asked)).weight, table)


def test_gone_on_with_keeps_a_prior(masked_lm: Path, tmp_path: Path) -> None:
    """The folder's own, trained one, not another with the recipe's start values, nor both."""
    first = build(masked_lm, lexical_prior=Prior(beta=0.7))
    checkpoint.save(first, tmp_path / "first")
    second = build(tmp_path / "first")
    assert names(second) == ["Transformer", "SpladePooling", "LexicalPrior"]
    torch.testing.assert_close(encode(second), encode(first))
    with pytest.raises(InputError, match="first has one, which is gone on with; leave the setting out"):
        build(tmp_path / "first", lexical_prior=Prior(beta=0.1))


def test_gone_on_with_keeps_table_and_activation(masked_lm: Path, tmp_path: Path) -> None:
    """A learned table and one logarithm, unless the recipe says otherwise."""
    first = build(masked_lm, logs=1)
    with torch.no_grad():
        checkpoint.query_table(first).weight.mul_(3)
    checkpoint.save(first, tmp_path / "first")
    asked = Model(str(tmp_path / "first"), max_length=64)
    second = model.build(asked).eval()
    torch.testing.assert_close(checkpoint.query_table(second).weight, checkpoint.query_table(first).weight)
    torch.testing.assert_close(encode(second), encode(first))
    other = model.build(replace(asked, token_weights="ones", logs=2)).eval()
    assert checkpoint.query_table(other).weight.max() == 1
    torch.testing.assert_close(encode(other), encode(first).log1p())


def test_has_new_head(masked_lm: Path, headless: Path, checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    """What the weights say, not the config's architectures; saved, it is new no longer."""
    made = build(headless)
    assert model.has_new_head(made)
    checkpoint.save(made, tmp_path / "made")
    for backbone in (masked_lm, checkpoint_folder("router"), tmp_path / "made"):
        assert not model.has_new_head(build(backbone))
    renamed = tmp_path / "renamed"
    shutil.copytree(masked_lm, renamed)
    config = json.loads((renamed / "config.json").read_text())
    (renamed / "config.json").write_text(json.dumps({**config, "architectures": ["BertForPreTraining"]}))
    again = build(renamed)
    assert not model.has_new_head(again)
    torch.testing.assert_close(encode(again), encode(build(masked_lm)))


@pytest.mark.parametrize("logs", [1, 2, 3, 4])
def test_logs(masked_lm: Path, logs: int) -> None:
    """Each is log1p of the one before."""
    relu = encode(build(masked_lm, logs=1)).expm1()
    expected = relu
    for _ in range(logs):
        expected = expected.log1p()
    encoder = build(masked_lm, logs=logs)
    torch.testing.assert_close(encode(encoder), expected, rtol=1e-4, atol=1e-5)
    assert names(encoder) == ["Transformer", "SpladePooling"] + ["Logs"] * (logs > 2)


def test_logs_0_is_refused(masked_lm: Path) -> None:
    with pytest.raises(InputError, match="model.logs is 0; an activation has at least one logarithm"):
        build(masked_lm, logs=0)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3), (3, 1), (3, 2)])
def test_logs_of_a_folder_gone_on_with(masked_lm: Path, tmp_path: Path, before: int, after: int) -> None:
    """The recipe says how many logarithms there are, whatever the folder had."""
    checkpoint.save(build(masked_lm, logs=before), tmp_path / "before")
    expected = encode(build(masked_lm, logs=after))
    torch.testing.assert_close(encode(build(tmp_path / "before", logs=after)), expected, rtol=1e-4, atol=1e-5)


def test_layers(masked_lm: Path) -> None:
    one, two = build(masked_lm, layers=1), build(masked_lm)
    lm = checkpoint.document_modules(one)[0].auto_model
    assert len(lm.bert.encoder.layer) == lm.config.num_hidden_layers == 1
    full = checkpoint.document_modules(two)[0].auto_model
    kept = full.bert.encoder.layer[0].state_dict()
    for name, value in lm.bert.encoder.layer[0].state_dict().items():
        assert torch.equal(value, kept[name])
    assert (encode(one) - encode(two)).abs().max() > 0.01


def test_layers_of_a_backbone_without_a_head(headless: Path) -> None:
    assert len(checkpoint.document_modules(build(headless, layers=1))[0].auto_model.bert.encoder.layer) == 1


def test_max_length(masked_lm: Path) -> None:
    """Two of the five tokens are [CLS] and [SEP]."""
    encoder = build(masked_lm, max_length=5)
    torch.testing.assert_close(encode(encoder, ["dog cat bird fish"]), encode(encoder, ["dog cat bird"]))
    assert (encode(encoder, ["dog cat bird"]) != encode(encoder, ["dog cat"])).any()


def test_max_length_beyond_the_backbones(masked_lm: Path) -> None:
    with pytest.raises((CheckpointError, InputError), match="max_length"):
        build(masked_lm, max_length=256)


def test_lexical_prior(masked_lm: Path) -> None:
    """Added to what is learned: 0.5 · tf / (tf + norm), norm = 1.2 · (0.25 + 0.75 · 3/6) = 0.75 for three tokens."""
    asked = Prior(beta=0.5, average_length=6.0)
    encoder, without = build(masked_lm, lexical_prior=asked), build(masked_lm)
    assert names(encoder) == ["Transformer", "SpladePooling", "LexicalPrior"]
    added = encode(encoder, ["water water pipe"]) - encode(without, ["water water pipe"])
    expected = torch.zeros(1, len(TOKENS))
    expected[0, TOKENS.index("water")], expected[0, TOKENS.index("pipe")] = 0.5 * 2 / 2.75, 0.5 * 1 / 1.75
    torch.testing.assert_close(added, expected, rtol=1e-4, atol=1e-5)


def test_prior_of_special_and_light_tokens(masked_lm: Path, tmp_path: Path) -> None:
    """Single characters weigh 0.5 to 1.1 in the table, words 3 and more."""
    table = tmp_path / "idf.json"
    table.write_text(json.dumps(make_idf(make_tokenizer())), encoding="utf-8")
    prior = checkpoint.document_modules(
        build(masked_lm, token_weights=str(table), lexical_prior=Prior(beta=0.5, drop_below=2.0, k=0.9, b=0.4))
    )[-1]
    assert isinstance(prior, LexicalPrior)
    beta = dict(zip(TOKENS, prior.beta.tolist(), strict=True))
    assert all(beta[token] == 0 for token in [*SPECIALS, "a", "7", "##s", ","])  # ##s has one letter
    assert all(beta[token] == 0.5 for token in ["water", "the", "##ing"])
    assert (prior.k.item(), prior.b.item()) == pytest.approx((0.9, 0.4))


@pytest.mark.parametrize("learned", [True, False])
def test_prior_learned_or_not(masked_lm: Path, learned: bool) -> None:
    encoder = build(masked_lm, lexical_prior=Prior(learned=learned))
    encode(encoder).sum().backward()
    prior = checkpoint.document_modules(encoder)[-1]
    assert [parameter.grad is not None for parameter in prior.parameters()] == [learned] * 3


def test_prior_of_a_siamese_encoder(masked_lm: Path) -> None:
    with pytest.raises(InputError, match="lexical_prior needs model.query = table"):
        build(masked_lm, query="encoder", lexical_prior=Prior())


@pytest.mark.parametrize("query", ["table", "encoder"])
def test_head_changes_nothing(masked_lm: Path, query: str) -> None:
    fast, slow = (build(masked_lm, head=head, query=query) for head in ("argmax", "logits"))
    torch.testing.assert_close(encode(fast), encode(slow), rtol=1e-4, atol=1e-5)
    for encoder, installed in ((fast, True), (slow, False)):
        pooling = next(module for module in encoder.modules() if isinstance(module, SpladePooling))
        assert ("forward" in vars(pooling)) == installed


def test_backbones_that_cannot_be_opened(tmp_path: Path, checkpoint_folder: Callable[..., Path]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="empty: cannot be opened") as raised:
        build(tmp_path / "empty")
    assert "\n" not in str(raised.value)
    damaged = tmp_path / "damaged"
    shutil.copytree(checkpoint_folder("router"), damaged)
    (damaged / "modules.json").write_text("[")
    with pytest.raises(CheckpointError, match="damaged: cannot be opened"):
        build(damaged)
    with pytest.raises(CheckpointError, match="no such folder"):
        checkpoint.find(tmp_path / "nowhere")


def test_a_backbone_whose_weights_are_damaged(tmp_path: Path, masked_lm: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(masked_lm, damaged)
    (damaged / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="damaged"):
        build(damaged)


def test_a_head_of_another_vocabulary(tmp_path: Path, masked_lm: Path) -> None:
    """Two tokens more in the tokenizer than in the model."""
    folder = tmp_path / "larger"
    shutil.copytree(masked_lm, folder)
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["qqq", "zzz"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(CheckpointError, match="no bias for each token of the tokenizer"):
        build(folder)
