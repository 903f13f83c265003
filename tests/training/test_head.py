"""The arg-max head gives what SpladePooling gives on full logits: vectors, gradients, saved folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from torch import Tensor

from opensearch_lsr.errors import CheckpointError
from opensearch_lsr.training import checkpoint, head
from opensearch_lsr.training.head import MaxLogits, install, skipped

TEXTS = ["the kitchen tap leaks", "replace the battery of a phone and charge it", "", "snow"]
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]  # hidden, mask, weight, bias


def inputs(mask: Tensor, seed: int = 0, vocab: int = 50, size: int = 6, bias: float = -1.0) -> Inputs:
    """Random float64 input: no two logits are equal; about half of the maxima are above 0."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shift = draw(vocab) + bias
    return draw(*mask.shape, size).requires_grad_(), mask, draw(vocab, size).requires_grad_(), shift.requires_grad_()


def plain(hidden: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same by autograd, from full logits."""
    logits = hidden @ weight.T + bias
    logits = logits.masked_fill(~mask.bool().unsqueeze(-1), -torch.inf)
    return logits.relu().amax(dim=1).masked_fill(~mask.bool().any(dim=1, keepdim=True), 0.0)


def gradients(output: Tensor, given: Inputs, upstream: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad((output * upstream).sum(), (given[0], given[2], given[3]))


MASKS = {
    "full": torch.ones(3, 7, dtype=torch.int64),
    "right": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]),
    "left": torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]]),
    "holes": torch.tensor([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]]),
    "one document": torch.tensor([[1, 1, 1, 0]]),
    "one position": torch.tensor([[1], [1]]),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_equals_autograd(mask: Tensor) -> None:
    given = inputs(mask)
    output, expected = MaxLogits.apply(*given, False), plain(*given)
    assert 0 < (expected > 0).double().mean() < 1  # both kinds of entries are there
    torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for own, other in zip(gradients(output, given, upstream), gradients(expected, given, upstream), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)


def test_equals_splade_pooling() -> None:
    """sentence-transformers' own module on full logits, over a vocabulary of more than one block, in float32."""
    mask = MASKS["right"]
    hidden, _, weight, bias = (value.detach().float() if value.is_floating_point() else value for value in inputs(mask))
    weight = torch.randn(head.BLOCK + 300, 6, generator=torch.Generator().manual_seed(3))
    bias = bias[:1].expand(len(weight)).clone()
    given = (hidden.requires_grad_(), mask, weight.requires_grad_(), bias.requires_grad_())
    logits = hidden @ weight.T + bias
    expected = SpladePooling("max")({"token_embeddings": logits, "attention_mask": mask})["sentence_embedding"]
    output = MaxLogits.apply(*given, False).log1p()
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-6)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    for own, other in zip(gradients(output, given, upstream), gradients(expected, given, upstream), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


def test_gradcheck() -> None:
    hidden, mask, weight, bias = inputs(MASKS["holes"], vocab=9, size=3, bias=-0.5)
    # Far from relu's corner and from ties, or a finite difference would step over them.
    logits = hidden.detach() @ weight.detach().T + bias.detach()
    logits = logits.masked_fill(~mask.bool().unsqueeze(-1), -torch.inf)
    best = logits.topk(2, dim=1).values
    assert best[:, 0].abs().min() > 1e-3
    assert (best[:, 0] - best[:, 1]).min() > 1e-3
    assert torch.autograd.gradcheck(lambda h, w, b: MaxLogits.apply(h, mask, w, b, False), (hidden, weight, bias))


def test_the_docstrings_example() -> None:
    hidden = torch.tensor([[[3.0], [4.0]]], requires_grad=True)
    weight, bias = torch.tensor([[2.0]], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    output = MaxLogits.apply(hidden, torch.ones(1, 2), weight, bias, False)
    output.sum().backward()
    assert output.tolist() == [[9.0]]
    assert hidden.grad is not None and weight.grad is not None and bias.grad is not None
    assert (hidden.grad.tolist(), weight.grad.tolist(), bias.grad.tolist()) == ([[[0.0], [2.0]]], [[4.0]], [1.0])


def test_padding_is_never_the_maximum() -> None:
    """A padded position with the largest logit by far; and one that would lift a negative maximum."""
    hidden, weight = torch.tensor([[[1.0], [100.0]]]), torch.tensor([[1.0], [-1.0]])
    output = MaxLogits.apply(hidden, torch.tensor([[1, 0]]), weight, torch.zeros(2), False)
    assert output.tolist() == [[1.0, 0.0]]
    output = MaxLogits.apply(-hidden, torch.tensor([[1, 0]]), weight, torch.zeros(2), False)
    assert output.tolist() == [[0.0, 1.0]]


def test_a_document_of_padding_only_is_zero_and_has_no_gradient() -> None:
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    given = inputs(mask, bias=40.0)  # every logit would fire
    output = MaxLogits.apply(*given, False)
    assert (output[0] > 0).all()
    assert not output[1].any()
    output.sum().backward()
    assert given[0].grad is not None
    assert given[0].grad[0, :2].any()
    assert not given[0].grad[1].any()


def test_no_active_entry() -> None:
    given = inputs(MASKS["right"], bias=-1e4)
    output = MaxLogits.apply(*given, False)
    output.sum().backward()
    assert not output.any()
    for value in (given[0], given[2], given[3]):
        assert value.grad is not None and not value.grad.any()


def test_bfloat16_search_keeps_float32_values() -> None:
    """``fast`` looks for entries in bfloat16; what it finds has float32 values, what it misses is next to 0."""
    mask = torch.ones(4, 9, dtype=torch.int64)
    given = [value.detach().float() if value.is_floating_point() else value for value in inputs(mask, vocab=400)]
    exact, fast = MaxLogits.apply(*given, False), MaxLogits.apply(*given, True)
    both = (exact > 0) & (fast > 0)
    torch.testing.assert_close(fast[both], exact[both])
    torch.testing.assert_close(fast, exact, rtol=0, atol=0.05)
    assert both.sum() > 0.98 * (exact > 0).sum()


@pytest.fixture(params=["router", "siamese"])
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(layout: str, checkpoint_folder: Callable[..., Path]) -> tuple[SparseEncoder, SparseEncoder]:
    """The same encoder twice; the second has the head."""
    folder = checkpoint_folder(layout)
    return checkpoint.load(folder).eval(), install(checkpoint.load(folder).eval())


def encode(model: SparseEncoder, texts: list[str], task: str = "document") -> Tensor:
    features = model.preprocess(texts) if not isinstance(model[0], Router) else model.preprocess(texts, task=task)
    vectors: Tensor = model(features, task=task)["sentence_embedding"]
    return vectors


def test_installed_vectors(pair: tuple[SparseEncoder, SparseEncoder]) -> None:
    own, headed = pair
    expected = encode(own, TEXTS).detach()
    assert (expected[0] > 0).sum() > 3
    torch.testing.assert_close(encode(headed, TEXTS).detach(), expected, rtol=1e-4, atol=1e-5)
    for task in ("encode_document", "encode_query"):
        vectors = getattr(headed, task)(TEXTS, convert_to_sparse_tensor=False)
        torch.testing.assert_close(
            vectors, getattr(own, task)(TEXTS, convert_to_sparse_tensor=False), rtol=1e-4, atol=1e-5
        )
    assert headed.get_embedding_dimension() == own.get_embedding_dimension()


def test_installed_gradients(pair: tuple[SparseEncoder, SparseEncoder]) -> None:
    """Of every parameter, embeddings and tied decoder, attention and head, from a loss that weighs entries unevenly."""
    upstream = torch.rand(len(TEXTS), 331, generator=torch.Generator().manual_seed(2))
    for model in pair:
        for module in model.train().modules():  # sentence-transformers' pooling has no gradient in evaluation mode
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        vectors = encode(model, TEXTS)
        (vectors * upstream[:, : vectors.shape[1]]).sum().backward()
    own, headed = ({name: value.grad for name, value in model.named_parameters()} for model in pair)
    assert own.keys() == headed.keys()
    given = {name: gradient for name, gradient in own.items() if gradient is not None and gradient.any()}
    assert len(given) > 30
    for name, gradient in own.items():
        if gradient is None:
            assert headed[name] is None, name
        else:
            torch.testing.assert_close(headed[name], gradient, rtol=1e-3, atol=1e-4, msg=lambda text, n=name: n + text)


def test_installed_model_is_saved_as_before(pair: tuple[SparseEncoder, SparseEncoder], tmp_path: Path) -> None:
    own, headed = pair
    for model in pair:
        encode(model, TEXTS)  # a pass leaves nothing behind
    assert list(own.state_dict()) == list(headed.state_dict())
    for model, name in zip(pair, ("own", "headed"), strict=True):
        model.save_pretrained(str(tmp_path / name), create_model_card=False)

    def files(folder: Path) -> dict[str, bytes]:
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    assert files(tmp_path / "own") == files(tmp_path / "headed")
    opened = SparseEncoder(str(tmp_path / "headed"), device="cpu").eval()
    torch.testing.assert_close(encode(opened, TEXTS), encode(headed, TEXTS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", ["router"], indirect=True)
def test_bfloat16_autocast(pair: tuple[SparseEncoder, SparseEncoder]) -> None:
    own, headed = pair
    expected = encode(own, TEXTS).detach()
    with torch.autocast("cpu", torch.bfloat16):
        vectors = encode(headed, TEXTS)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.detach(), expected, rtol=0, atol=0.1)
    vectors.sum().backward()
    assert all(value.grad is None or value.grad.isfinite().all() for value in headed.parameters())


def test_one_more_logarithm(checkpoint_folder: Callable[..., Path]) -> None:
    for activation in ("relu", "log1p_relu"):
        own, headed = (checkpoint.load(checkpoint_folder("siamese", activation)).eval() for _ in range(2))
        torch.testing.assert_close(encode(install(headed), TEXTS), encode(own, TEXTS), rtol=1e-4, atol=1e-5)


def test_skipped_ends_with_its_block() -> None:
    decoder = torch.nn.Linear(2, 3)
    given = torch.ones(1, 2)
    with skipped(decoder):
        assert decoder(given) is given
    assert decoder(given).shape == (1, 3)
    with pytest.raises(RuntimeError, match="boom"), skipped(decoder):
        raise RuntimeError("boom")
    assert decoder(given).shape == (1, 3)


def test_other_models_are_refused(checkpoint_folder: Callable[..., Path]) -> None:
    model = checkpoint.load(checkpoint_folder("siamese"))
    model[1].pooling_strategy = "sum"
    with pytest.raises(CheckpointError, match="max pooling"):
        install(model)
    model = checkpoint.load(checkpoint_folder("siamese"))
    model[0].auto_model.get_output_embeddings().bias = None
    with pytest.raises(CheckpointError, match="a bias"):
        install(model)
    transformer = checkpoint.load(checkpoint_folder("siamese"))[0]
    assert isinstance(transformer, Transformer)
    with pytest.raises(CheckpointError, match="no masked LM followed by SpladePooling"):
        install(torch.nn.Sequential(transformer))


def test_saved_modules_are_sentence_transformers_own(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    checkpoint.save(install(checkpoint.load(checkpoint_folder("siamese"))), tmp_path / "saved")
    modules = json.loads((tmp_path / "saved" / "modules.json").read_text())
    assert all(module["type"].startswith("sentence_transformers.") for module in modules)
