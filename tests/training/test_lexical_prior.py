"""BM25's term weights inside the document vector: arithmetic, gradients, ONNX, and a checkpoint that loads again."""

from __future__ import annotations

import doctest
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router
from tiny_checkpoint import SPECIALS, make_checkpoint, vocabulary
from torch import Tensor

from opensearch_lsr.errors import InputError
from opensearch_lsr.training import lexical_prior
from opensearch_lsr.training.lexical_prior import LexicalPrior, lexical_weights

IDS = torch.tensor([[0, 3, 3, 4, 1, 2], [0, 4, 1, 2, 2, 2]])  # 0 [CLS], 1 [SEP], 2 [PAD], 3 water, 4 pipe
MASK = torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0]])


def prior(**changes: Any) -> LexicalPrior:
    """Five tokens, three of them special; avglen 6."""
    return LexicalPrior(**{"vocab_size": 5, "special_ids": [0, 1, 2], "average_length": 6.0} | changes)


def add(module: LexicalPrior, ids: Tensor, mask: Tensor, learned: Tensor | None = None) -> Tensor:
    learned = torch.zeros(len(ids), module.vocab_size) if learned is None else learned
    weights: Tensor = module({"input_ids": ids, "attention_mask": mask, "sentence_embedding": learned})[
        "sentence_embedding"
    ]
    return weights


def test_docstring_examples() -> None:
    results = doctest.testmod(lexical_prior)
    assert (results.failed, results.attempted > 0) == (0, True)


def test_values() -> None:
    # norms: len 3: 1.2 · (0.25 + 0.75 · 3/6) = 0.75; len 1: 1.2 · (0.25 + 0.75/6) = 0.45
    expected = torch.tensor([[0, 0, 0, 2 / 2.75, 1 / 1.75], [0, 0, 0, 0, 1 / 1.45]])
    torch.testing.assert_close(add(prior(), IDS, MASK), expected)
    torch.testing.assert_close(add(prior(beta=3.0), IDS, MASK), 3 * expected)
    learned = torch.rand(2, 5)
    torch.testing.assert_close(add(prior(), IDS, MASK, learned), learned + expected)


def test_gradients() -> None:
    """Of the water weight β · 2 / (2 + n), n = k · (1 − b + b/2) = 0.75 for three of six tokens."""
    scale = torch.ones(5, requires_grad=True)
    k, b = torch.tensor(1.2, requires_grad=True), torch.tensor(0.75, requires_grad=True)
    counted = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0])
    lexical_weights(IDS[:1], MASK[:1], scale, k, b, 6.0, counted)[0, 3].backward()
    slope = -2 / 2.75**2  # by n
    torch.testing.assert_close(scale.grad, torch.tensor([0, 0, 0, 2 / 2.75, 0]))
    torch.testing.assert_close(k.grad, torch.tensor(slope * 0.625))  # ∂n/∂k = 1 − b + b/2
    torch.testing.assert_close(b.grad, torch.tensor(slope * 1.2 * -0.5))  # ∂n/∂b = k · (len/avglen − 1)


def test_gradient_reaches_the_network_unchanged() -> None:
    learned = torch.zeros(2, 5, requires_grad=True)
    add(prior(), IDS, MASK, learned).sum().backward()
    torch.testing.assert_close(learned.grad, torch.ones(2, 5))


def test_more_occurrences_weigh_more_and_longer_documents_less() -> None:
    rows = torch.full((4, 12), 2)
    for row, (water, pipe) in enumerate([(1, 3), (2, 2), (3, 1), (3, 9)]):
        rows[row, :water], rows[row, water : water + pipe] = 3, 4
    water_weights = add(prior(), rows, (rows != 2).long())[:, 3]
    assert (water_weights[:3].diff() > 0).all()  # at equal length
    assert water_weights[3] < water_weights[2]  # at equal frequency


def test_padding_and_batch_change_nothing() -> None:
    alone = add(prior(), IDS[1:, :3], MASK[1:, :3])
    torch.testing.assert_close(add(prior(), IDS, MASK)[1:], alone)


def test_documents_without_tokens() -> None:
    """Special tokens only, and padding only; also where k and 1 − b have underflowed to 0."""
    ids, mask = torch.tensor([[0, 1, 2], [2, 2, 2]]), torch.tensor([[1, 1, 0], [0, 0, 0]])
    module = prior()
    with torch.no_grad():
        module.raw_k.fill_(-200)
        module.raw_b.fill_(200)
    for candidate in (prior(), module):
        weights = add(candidate, ids, mask)
        assert not weights.any()
        weights.sum().backward()
        assert all(
            parameter.grad.isfinite().all() for parameter in candidate.parameters() if parameter.grad is not None
        )


def test_a_flattened_batch_is_the_padded_one() -> None:
    """What the transformer hands on under flash attention: the rows without padding, one behind the other."""
    flat = {
        "input_ids": IDS[MASK.bool()].unsqueeze(0),
        "cu_seq_lens_q": torch.tensor([0, 5, 8], dtype=torch.int32),
        "sentence_embedding": torch.zeros(2, 5),
    }
    torch.testing.assert_close(prior()(flat)["sentence_embedding"], add(prior(), IDS, MASK))


def test_start() -> None:
    module = prior(beta=2.0, dropped=[4], k=0.9, b=0.4)
    assert module.scale.tolist() == [0, 0, 0, 2, 0]
    assert (module.k.item(), module.b.item()) == pytest.approx((0.9, 0.4))
    assert prior(special_ids=[]).scale.tolist() == [1] * 5


def test_what_is_learned() -> None:
    def learned(module: LexicalPrior) -> set[str]:
        return {name for name, parameter in module.named_parameters() if parameter.requires_grad}

    assert learned(prior()) == {"scale", "raw_k", "raw_b"}
    assert learned(prior(learn_curve=False)) == {"scale"}
    assert learned(prior(learn_scale=False)) == {"raw_k", "raw_b"}


def test_scale_stays_at_least_0_and_comes_back() -> None:
    """A step too far gives weight 0, not less; the next gradient can raise it again."""
    module = prior().train()
    optimizer = torch.optim.SGD(module.parameters(), lr=10.0)
    add(module, IDS, MASK)[0, 3].backward()
    optimizer.step()
    assert module.scale[3] < 0
    assert add(module.eval(), IDS, MASK).min() == 0
    optimizer.zero_grad()
    first = add(module.train(), IDS, MASK)
    (-(first[0, 3] + add(module, IDS, MASK)[0, 3])).backward()  # two forward passes, one backward pass
    optimizer.step()
    assert module.scale[3] > 0


def test_dropped_tokens_can_rise() -> None:
    module = prior(dropped=[3, 4]).train()
    (-add(module, IDS, MASK).sum()).backward()
    assert module.scale.grad is not None
    assert (module.scale.grad < 0).tolist() == [False, False, False, True, True]  # special tokens cannot


def test_onnx_opset_17_at_any_batch_and_length(tmp_path: Path) -> None:
    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(5, 5)
            self.prior = prior(beta=2.0)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            learned = (self.embedding(input_ids) * attention_mask.unsqueeze(-1)).amax(dim=1).relu()
            return add(self.prior, input_ids, attention_mask, learned)

    torch.manual_seed(0)
    graph, path = Graph().eval(), tmp_path / "graph.onnx"
    axes = {0: "batch", 1: "sequence"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter is deprecated
        torch.onnx.export(
            graph,
            (IDS, MASK),
            str(path),
            input_names=["ids", "mask"],
            output_names=["output"],
            dynamic_axes={"ids": axes, "mask": axes, "output": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    model = onnx.load(str(path))
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    assert "ScatterElements" in {node.op_type for node in model.graph.node}
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch, length in [(1, 1), (1, 9), (3, 4), (7, 40)]:
        ids = torch.randint(5, (batch, length))
        mask = (torch.arange(length) <= torch.randint(length, (batch, 1))).long()
        mask[0] = 0  # a document that is all padding
        with torch.no_grad():
            expected = graph(ids, mask).numpy()
        output = session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0]
        np.testing.assert_allclose(output, expected, rtol=1e-6, atol=1e-6)


def test_a_checkpoint_with_it_loads_again_when_its_code_is_trusted(tmp_path: Path) -> None:
    base = SparseEncoder(str(make_checkpoint(tmp_path / "base")), device="cpu")
    tokens = vocabulary()
    module = LexicalPrior(len(tokens), [tokens.index(token) for token in SPECIALS], 20.0, learn_curve=False)
    with torch.no_grad():
        module.scale[tokens.index("water")] = 0.125
        module.raw_b.fill_(-1.0)
    routes = base[0].sub_modules
    router = Router.for_query_document(
        query_modules=list(routes["query"]), document_modules=[*routes["document"], module]
    )
    model = SparseEncoder(modules=[router], device="cpu")
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    with pytest.raises(ValueError, match=r"references the module class 'opensearch_lsr.training.lexical_prior"):
        SparseEncoder(str(tmp_path / "model"), device="cpu")

    loaded = SparseEncoder(str(tmp_path / "model"), trust_remote_code=True, device="cpu")
    again = loaded[0].sub_modules["document"][2]
    assert isinstance(again, LexicalPrior)
    assert again.get_config_dict() == module.get_config_dict()
    assert not again.raw_k.requires_grad
    for name, value in module.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)
    texts = ["water in the pipe, water on the road", "", "fix"]
    vectors = loaded.encode_document(texts).to_dense()
    torch.testing.assert_close(vectors, model.encode_document(texts).to_dense())
    added = vectors - base.encode_document(texts).to_dense()
    # len 9, comma included; norm 1.2 · (1 − b + b · 9/20) with b = sigmoid(−1)
    b = torch.tensor(-1.0).sigmoid().item()
    norm = 1.2 * (1 - b + b * 9 / 20)
    assert added[0, tokens.index("water")].item() == pytest.approx(0.125 * 2 / (2 + norm), rel=1e-4)
    assert added[0, tokens.index("pipe")].item() == pytest.approx(1 / (1 + norm), rel=1e-4)
    assert not added[1].any()
    assert not loaded.encode_query(["water"]).to_dense()[0, tokens.index("pipe")].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"average_length": 0.0}, "average_length is above 0, not 0.0"),
        ({"beta": -1.0}, "beta is 0 or more, not -1.0"),
        ({"k": 0.0}, "k is above 0, not 0.0"),
        ({"b": 1.0}, "b is between 0 and 1, not 1.0"),
    ],
)
def test_settings_out_of_range(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prior(**changes)
