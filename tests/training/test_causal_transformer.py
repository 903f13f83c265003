"""Causal LMs as document side: which row belongs to which token, what each position sees, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SparseEncoder
from tiny_causal import FAMILIES, make_tokenizer
from tiny_encoder import TEXTS, build, encode
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from opensearch_lsr.errors import CheckpointError, InputError
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.causal_transformer import CausalTransformer
from opensearch_lsr.training.recipe_model import Lora, Prior

MODES = ("causal", "echo", "bidirectional")
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def document_side(encoder: SparseEncoder) -> CausalTransformer:
    module = checkpoint.document_modules(encoder)[0]
    assert isinstance(module, CausalTransformer)
    return module


def batch(transformer: CausalTransformer, texts: list[str] = TEXTS) -> tuple[Tensor, Tensor]:
    features = transformer.preprocess(texts)
    return features["input_ids"], features["attention_mask"]


@pytest.fixture
def successor(tmp_path: Path) -> Path:
    """A GPT-2 that predicts 0 → 10 → 11 → 12 → 0, and 640 − t of any other token t, by a logit of 25; it hardly looks
    at other positions.
    """
    tokenizer = make_tokenizer("gpt2")
    size = len(tokenizer.get_vocab())
    config = GPT2Config(
        bos_token_id=0,
        eos_token_id=0,
        vocab_size=size,
        n_embd=size,
        n_layer=1,
        n_head=1,
        n_positions=64,
        n_inner=1,
        tie_word_embeddings=False,
    )
    lm = GPT2LMHeadModel(config)
    after = {token: size - token for token in range(1, size)} | {0: 10, 10: 11, 11: 12, 12: 0}
    with torch.no_grad():
        lm.transformer.wte.weight.copy_(torch.eye(size))
        lm.transformer.wpe.weight.zero_()
        lm.transformer.h[0].attn.c_proj.weight.mul_(1e-3)
        lm.transformer.h[0].mlp.c_proj.weight.zero_()
        lm.lm_head.weight.zero_()
        for token, following in after.items():
            lm.lm_head.weight[following, token] = 1
    lm.save_pretrained(tmp_path / "successor")
    tokenizer.save_pretrained(tmp_path / "successor")
    return tmp_path / "successor"


@pytest.mark.parametrize("mode", MODES)
def test_a_row_belongs_to_the_token_that_its_position_predicts(successor: Path, mode: str) -> None:
    """A model that predicts exactly what follows gives a document exactly its own tokens, first and last included."""
    encoder = build(successor, attention=mode, max_length=32)
    transformer = document_side(encoder)
    ids = torch.tensor([[0, 10, 11, 12, 0, 0, 0]])  # B 10 11 12 E and padding
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0]])
    rows = transformer.rows(ids, mask)
    rows[..., 0] += 1e4  # E is silent by its bias
    for copy in rows[0].split(ids.shape[1]):
        assert copy[1:5].argmax(dim=1).tolist() == [10, 11, 12, 0]
    assert len(rows[0]) == 7 * transformer.copies
    vector = encoder({"input_ids": ids, "attention_mask": mask}, task="document")["sentence_embedding"]
    assert vector[0].nonzero().squeeze(1).tolist() == [10, 11, 12]
    hidden = ids.clone()
    hidden[0, 2] = 600  # a masked position: its token is predicted from the one before, and is no hint for itself
    assert transformer.rows(hidden, mask)[0, 2].argmax() == 11
    assert transformer.rows(hidden, mask)[0, 3].argmax() != 12


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_by_hand(causal_lm: Callable[..., Path], family: str) -> None:
    """Each text alone, unpadded, through ``transformers``: logits of all positions but the last of the last copy."""
    assert len(list(causal_lm(family).glob("*.safetensors"))) == (3 if family == "llama" else 1)  # shards
    lm = AutoModelForCausalLM.from_pretrained(causal_lm(family), dtype=torch.float32).eval()
    for mode in ("causal", "echo"):
        encoder = build(causal_lm(family), attention=mode)
        ids, mask = batch(document_side(encoder))
        vectors = encode(encoder).detach()
        for row, real, vector in zip(ids, mask.bool(), vectors, strict=True):
            text = row[real].unsqueeze(0)
            copies = torch.cat([text] * (2 if mode == "echo" else 1), dim=1)
            with torch.no_grad():
                logits = lm(input_ids=copies).logits[0, -text.shape[1] : -1, : vectors.shape[1]]
            expected = logits.amax(dim=0).relu().log1p().log1p()
            expected[document_side(encoder).tokenizer.all_special_ids] = 0
            torch.testing.assert_close(vector, expected, **CLOSE)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_bidirectional_attention_equals_a_mask_made_by_hand(
    causal_lm: Callable[..., Path], tmp_path: Path, family: str, attention: str
) -> None:
    """With padding on the right, and without any, where SDPA would make a causal mask of its own."""
    encoder = build(causal_lm(family), attention="bidirectional")
    checkpoint.save(encoder, tmp_path / "saved")
    transformer = document_side(checkpoint.load(tmp_path / "saved", attn_implementation=attention).eval())
    assert transformer.auto_model.config._attn_implementation == attention
    lm = AutoModelForCausalLM.from_pretrained(causal_lm(family), dtype=torch.float32, attn_implementation="eager")
    for texts in (TEXTS, TEXTS[:1]):
        ids, mask = batch(transformer, texts)
        lowest = torch.finfo(torch.float32).min
        by_hand = torch.zeros(len(ids), 1, ids.shape[1], ids.shape[1])
        by_hand.masked_fill_(~mask.bool()[:, None, None, :], lowest)
        with torch.no_grad():
            expected = lm.eval()(input_ids=ids, attention_mask=by_hand).logits[:, :-1, : len(transformer.tokenizer)]
            rows = transformer.rows(ids, mask)[:, 1:]
        expected[..., transformer.tokenizer.all_special_ids] -= 1e4
        real = mask.bool()[:, 1:]
        torch.testing.assert_close(rows[real], expected[real], **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", MODES)
def test_saved_and_opened_again(causal_lm: Callable[..., Path], tmp_path: Path, family: str, mode: str) -> None:
    """By this package; elsewhere with trust_remote_code only. Inside lies a causal LM that transformers opens."""
    encoder = build(causal_lm(family), attention=mode)
    with torch.no_grad():
        document_side(encoder).auto_model.get_output_embeddings().bias[5:] += 0.3
    checkpoint.save(encoder, tmp_path / "saved")
    opened = checkpoint.load(tmp_path / "saved").eval()
    assert document_side(opened).attention == mode
    assert document_side(opened).max_seq_length == 64
    texts = [*TEXTS, "  Zürich (CH), 12°C  ", ""]
    torch.testing.assert_close(encode(opened, texts), encode(encoder, texts))
    torch.testing.assert_close(encode(opened, texts, "query"), encode(encoder, texts, "query"))
    with pytest.raises(ValueError, match="trust_remote_code"):
        SparseEncoder(str(tmp_path / "saved"), device="cpu")
    (inner,) = tmp_path.glob("saved/document_0_*")
    _, report = AutoModelForCausalLM.from_pretrained(inner, output_loading_info=True)
    assert not any(report.values())
    (inner / "causal.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"causal\.safetensors is missing"):
        checkpoint.load(tmp_path / "saved")


@pytest.mark.parametrize("mode", MODES)
def test_the_arg_max_head_gives_the_same(causal_lm: Callable[..., Path], mode: str) -> None:
    one, other = (build(causal_lm(), attention=mode, head=head) for head in ("argmax", "logits"))
    torch.testing.assert_close(encode(one), encode(other), **CLOSE)
    for encoder in (one, other):
        encode(encoder.train()).sum().backward()
    assert document_side(one).auto_model.lm_head.weight.grad.any()
    for (name, parameter), (_, same) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        if parameter.grad is not None:
            torch.testing.assert_close(
                parameter.grad, same.grad, rtol=1e-3, atol=1e-3, msg=lambda text, n=name: n + text
            )


@pytest.mark.parametrize("mode", MODES)
def test_a_text_alone_and_beside_a_longer_one(causal_lm: Callable[..., Path], mode: str) -> None:
    encoder = build(causal_lm("gpt2"), attention=mode)
    together = encode(encoder)
    for text, vector in zip(TEXTS, together, strict=True):
        torch.testing.assert_close(encode(encoder, [text])[0], vector, **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokenizers_as_they_come(causal_lm: Callable[..., Path], family: str) -> None:
    """B text E, whatever they added before; padded on the right; a first word is the token that it is inside a text."""
    encoder = build(causal_lm(family), attention="echo", max_length=8)
    tokenizer = document_side(encoder).tokenizer
    assert (tokenizer.padding_side, tokenizer.pad_token) == ("right", "<|endoftext|>")
    ids, mask = batch(document_side(encoder), ["snow", "tap snow", "", "snow " * 30])
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    (snow,) = ids[0, 1:2].tolist()
    assert ids[0].tolist() == [begin, snow, *[end] * 6]
    assert ids[1, 2] == snow
    assert mask.sum(dim=1).tolist() == [3, 4, 2, 8]  # cut to 8, both ends kept
    assert ids[3].tolist() == [begin, *[snow] * 6, end]
    assert set(tokenizer.all_special_tokens) == {"<|endoftext|>"} | (
        {"<|begin|>", "<|reserved|>"} if family == "llama" else set()
    )
    assert not encode(encoder)[:, tokenizer.all_special_ids].any()
    query = encode(encoder, ["snow<|endoftext|>"], "query")[0]
    assert query.nonzero().squeeze(1).tolist() == [snow]


def test_a_padded_vocabulary_is_cut(causal_lm: Callable[..., Path]) -> None:
    for family in ("qwen2", "qwen3"):  # tied and not
        transformer = document_side(build(causal_lm(family), attention="causal"))
        assert transformer.auto_model.config.vocab_size == len(transformer.tokenizer.get_vocab()) == 640
        lm = AutoModelForCausalLM.from_pretrained(causal_lm(family), dtype=torch.float32)
        assert lm.config.vocab_size == 664
        assert torch.equal(transformer.auto_model.get_output_embeddings().weight, lm.lm_head.weight[:640])


def test_a_lexical_prior_counts_the_documents_own_tokens(causal_lm: Callable[..., Path]) -> None:
    """Once, also where the text is read twice; those of B and E not at all."""
    prior = Prior(beta=1.0, average_length=4.0)
    plain, added = (build(causal_lm(), attention="echo", lexical_prior=asked) for asked in (None, prior))
    difference = (encode(added, ["snow snow tap"]) - encode(plain, ["snow snow tap"]))[0]
    ids = document_side(added).tokenizer("snow tap")["input_ids"][1:-1]
    norm = 1.2 * (0.25 + 0.75 * 3 / 4)
    assert difference.nonzero().squeeze(1).tolist() == sorted(ids)
    torch.testing.assert_close(difference[ids].detach(), torch.tensor([2 / (2 + norm), 1 / (1 + norm)]), **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_lora(causal_lm: Callable[..., Path], tmp_path: Path, family: str) -> None:
    """Adapters and bias learn, nothing else; a run's checkpoint keeps them apart, the finished one holds their sum."""
    encoder = build(causal_lm(family), attention="echo", lora=Lora(rank=4, alpha=8))
    torch.testing.assert_close(encode(encoder), encode(build(causal_lm(family), attention="echo")))
    transformer = document_side(encoder)
    learned = {name for name, parameter in transformer.named_parameters() if parameter.requires_grad}
    assert learned == {name for name in dict(transformer.named_parameters()) if ".lora_" in name} | {
        "model.lm_head.bias"
    }
    assert len(learned) == 1 + 2 * 2 * (4 if family == "gpt2" else 7)  # A and B of every linear layer of two blocks
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if ".lora_B" in name:
                parameter.normal_(std=0.3)
    changed = encode(encoder).detach()
    assert not torch.allclose(changed, encode(build(causal_lm(family), attention="echo")), atol=0.1)
    encoder.save_pretrained(str(tmp_path / "run"), create_model_card=False)
    going_on = checkpoint.load(tmp_path / "run").eval()
    assert document_side(going_on).lora == {"rank": 4, "alpha": 8, "dropout": 0.0}
    assert going_on.state_dict().keys() == encoder.state_dict().keys()
    torch.testing.assert_close(encode(going_on), changed, **CLOSE)
    checkpoint.save(going_on, tmp_path / "finished")
    finished = checkpoint.load(tmp_path / "finished").eval()
    assert not any(".lora_" in name or ".base_layer." in name for name in finished.state_dict())
    torch.testing.assert_close(encode(finished), changed, rtol=1e-3, atol=1e-4)


def test_frozen_weights_in_bfloat16(causal_lm: Callable[..., Path], tmp_path: Path) -> None:
    encoder = build(causal_lm(), attention="bidirectional", lora=Lora(rank=4, alpha=8, bfloat16=True))
    kinds = {parameter.dtype: parameter.requires_grad for parameter in document_side(encoder).parameters()}
    assert kinds == {torch.bfloat16: False, torch.float32: True}
    vectors = encode(encoder.train())
    assert vectors.dtype == torch.float32
    vectors.sum().backward()
    learned = [parameter for parameter in document_side(encoder).parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in learned)
    checkpoint.save(encoder, tmp_path / "finished")
    opened = checkpoint.load(tmp_path / "finished").eval()
    assert {parameter.dtype for parameter in opened.parameters()} == {torch.float32}
    torch.testing.assert_close(encode(opened), vectors, rtol=0, atol=0.3)


def test_gone_on_with_keeps_its_attention(causal_lm: Callable[..., Path], tmp_path: Path) -> None:
    first = build(causal_lm(), attention="echo")
    checkpoint.save(first, tmp_path / "first")
    torch.testing.assert_close(encode(build(tmp_path / "first")), encode(first))
    with pytest.raises(InputError, match="first was trained with echo"):
        build(tmp_path / "first", attention="bidirectional")
    with pytest.raises(InputError, match="first is a whole encoder"):
        build(tmp_path / "first", attention="echo", lora=Lora())


def test_settings_that_do_not_fit(causal_lm: Callable[..., Path], masked_lm: Path) -> None:
    with pytest.raises(InputError, match=r"llama is a causal LM; set model\.attention"):
        build(causal_lm())
    with pytest.raises(InputError, match="is for causal LMs"):
        build(masked_lm, attention="echo")
    with pytest.raises(InputError, match=r"model\.lora needs model\.attention"):
        build(masked_lm, lora=Lora())
    assert build(causal_lm(), attention="causal", max_length=160)
    with pytest.raises(InputError, match="at most 160 tokens, and echo reads a text twice"):
        build(causal_lm(), attention="echo", max_length=81)


def lm_folder(folder: Path, lm: Any) -> Path:
    lm.save_pretrained(folder)
    make_tokenizer("gpt2").save_pretrained(folder)
    return folder


def test_capped_logits_are_refused(tmp_path: Path) -> None:
    """They would be dropped in silence where logits are not made; without the cap the same model is taken."""
    shape = {"vocab_size": 640, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
    shape |= {"num_attention_heads": 4, "num_key_value_heads": 2}
    for cap in (None, 2.0):
        config = Gemma2Config(**shape, final_logit_softcapping=cap, bos_token_id=0, eos_token_id=0, pad_token_id=0)
        folder = lm_folder(tmp_path / f"cap-{cap}", Gemma2ForCausalLM(config))
        if cap is None:
            build(folder, attention="bidirectional")
        else:
            with pytest.raises(CheckpointError, match="capped or scaled, as by final_logit_softcapping"):
                build(folder, attention="causal")


def test_scaled_logits_are_refused(tmp_path: Path) -> None:
    shape = {"vocab_size": 640, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    config = GraniteConfig(**shape, num_attention_heads=4, num_key_value_heads=2, logits_scaling=8.0, pad_token_id=0)
    with pytest.raises(CheckpointError, match="capped or scaled"):
        build(lm_folder(tmp_path / "granite", GraniteForCausalLM(config)), attention="causal")


def test_an_echo_fits_into_a_sliding_window(tmp_path: Path) -> None:
    """Or the second copy would not see the first one's beginning."""
    shape = {"vocab_size": 640, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "bos_token_id": 0}
    config = MistralConfig(**shape, num_attention_heads=4, num_key_value_heads=2, sliding_window=64)
    folder = lm_folder(tmp_path / "mistral", MistralForCausalLM(config))
    build(folder, attention="bidirectional", max_length=100)
    build(folder, attention="echo", max_length=32)
    with pytest.raises(InputError, match="at most 64 tokens, and echo"):
        build(folder, attention="echo", max_length=33)


def test_a_recurrent_model(tmp_path: Path) -> None:
    """Sees what stands before; has no mask to remove, and works on its weights in ways of its own."""
    config = MambaConfig(vocab_size=640, hidden_size=32, num_hidden_layers=1, state_size=4, bos_token_id=0)
    folder = lm_folder(tmp_path / "mamba", MambaForCausalLM(config))
    assert encode(build(folder, attention="causal")).any()
    with pytest.raises(CheckpointError, match="its first position does not see the last"):
        build(folder, attention="bidirectional")
    with pytest.raises(CheckpointError, match="peft has no adapters for it"):
        build(folder, attention="causal", lora=Lora())


def test_tokenizers_that_do_not_fit(tmp_path: Path, causal_lm: Callable[..., Path]) -> None:
    tokenizer = make_tokenizer("gpt2")
    tokenizer.eos_token = None
    AutoModelForCausalLM.from_pretrained(causal_lm("gpt2")).save_pretrained(tmp_path / "endless")
    tokenizer.save_pretrained(tmp_path / "endless")
    with pytest.raises(CheckpointError, match=r"an end-of-text token \(eos_token\)"):
        build(tmp_path / "endless", attention="causal")
    more = make_tokenizer("gpt2")
    more.add_tokens(["snowplough"])
    AutoModelForCausalLM.from_pretrained(causal_lm("gpt2")).save_pretrained(tmp_path / "more")
    more.save_pretrained(tmp_path / "more")
    with pytest.raises(CheckpointError, match="641 tokens do not fit the model's 640"):
        build(tmp_path / "more", attention="causal")
