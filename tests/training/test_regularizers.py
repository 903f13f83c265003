"""Regularisers against arithmetic on paper, and against sentence-transformers where both apply."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import torch
from sentence_transformers.sparse_encoder.losses import FlopsLoss
from torch import Tensor, nn

from opensearch_lsr.errors import InputError
from opensearch_lsr.training.regularizers import df_flops, flops, idf_flops, l0_mask
from opensearch_lsr.training.regularizers.df_flops import DFFlops
from opensearch_lsr.training.regularizers.flops import Flops
from opensearch_lsr.training.regularizers.idf_flops import IDFFlops
from opensearch_lsr.training.regularizers.l0_mask import L0Mask


def gradient(regularizer: nn.Module, documents: Tensor) -> Tensor:
    documents = documents.clone().requires_grad_()
    regularizer(documents).backward()
    assert documents.grad is not None
    return documents.grad


def documents() -> Tensor:
    """Eight documents of 0 to 7 active tokens, of 20."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(8, 20, generator=generator) + 0.1
    return weights * (torch.arange(20) < torch.arange(8).unsqueeze(1))


@pytest.mark.parametrize("module", [flops, l0_mask, idf_flops, df_flops])
def test_docstring_examples(module: Any) -> None:
    results = doctest.testmod(module)
    assert (results.failed, results.attempted > 0) == (0, True)


@pytest.mark.parametrize(
    "make",
    [Flops, lambda: L0Mask(Flops(), 2), lambda: IDFFlops(torch.ones(3)), lambda: DFFlops(3)],
    ids=["flops", "l0", "idf", "df"],
)
def test_one_document_and_empty_documents(make: Any) -> None:
    assert make()(torch.tensor([[1.0, 2.0, 3.0]])).item() == pytest.approx(14)  # N = 1: all shares and factors are 1
    empty = torch.zeros(4, 3)
    assert make()(empty).item() == 0
    assert gradient(make(), empty).tolist() == torch.zeros(4, 3).tolist()


def test_flops_value_and_gradient() -> None:
    # means (2, 1): 4 + 1; gradient 2/N · mean = (2, 1) for both documents
    weights = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    assert Flops()(weights).item() == 5
    assert gradient(Flops(), weights).tolist() == [[2.0, 1.0], [2.0, 1.0]]


def test_flops_equals_sentence_transformers() -> None:
    torch.testing.assert_close(Flops()(documents()), FlopsLoss(None).compute_loss_from_embeddings(documents()))


@pytest.mark.parametrize("threshold", [0, 3, 7])
def test_l0_mask_equals_sentence_transformers(threshold: int) -> None:
    expected = FlopsLoss(None, threshold=threshold).compute_loss_from_embeddings(documents())
    torch.testing.assert_close(L0Mask(Flops(), threshold)(documents()), expected)


def test_l0_mask_value_and_gradient() -> None:
    # only (3, 2) has more than one token; the means over both documents are (3/2, 1): 9/4 + 1, gradient on it (3/2, 1)
    weights = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    assert L0Mask(Flops(), 1)(weights).item() == 3.25
    assert gradient(L0Mask(Flops(), 1), weights).tolist() == [[0.0, 0.0], [1.5, 1.0]]


def test_l0_mask_wraps_any_regularizer() -> None:
    idf = torch.tensor([1.0, 3.0])  # u = (1/2, 3/2): (3/2 · 2)² + (1 · 2/3)² = 9 + 4/9
    weights = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    assert L0Mask(IDFFlops(idf), 1)(weights).item() == pytest.approx(9 + 4 / 9)


def test_idf_inverse_value_and_gradient() -> None:
    # u = (1/2, 3/2); means (2, 3): (2 · 2)² + (3 · 2/3)² = 20; gradient 2/N · mean / u² = 2 · 4 = 8 and 3 · 4/9 = 4/3
    regularizer = IDFFlops(torch.tensor([1.0, 3.0]))
    weights = torch.tensor([[4.0, 6.0], [0.0, 0.0]])
    assert regularizer(weights).item() == pytest.approx(20)
    torch.testing.assert_close(gradient(regularizer, weights), torch.tensor([[8.0, 4 / 3], [8.0, 4 / 3]]))


def test_idf_contribution_value_and_gradient() -> None:
    # (2 · 1/2)² + (3 · 3/2)² = 21.25; gradient 2/N · mean · u² = 2/4 and 3 · 9/4
    regularizer = IDFFlops(torch.tensor([1.0, 3.0]), "contribution")
    weights = torch.tensor([[4.0, 6.0], [0.0, 0.0]])
    assert regularizer(weights).item() == 21.25
    torch.testing.assert_close(gradient(regularizer, weights), torch.tensor([[0.5, 6.75], [0.5, 6.75]]))


def test_idf_pushes_frequent_tokens_down_harder() -> None:
    """At equal weights the push falls as IDF grows (inverse, the default), or grows with it (contribution)."""
    idf = torch.linspace(1.0, 9.0, 10)
    inverse = gradient(IDFFlops(idf), torch.ones(2, 10))[0]
    contribution = gradient(IDFFlops(idf, "contribution"), torch.ones(2, 10))[0]
    assert (inverse.diff() < 0).all()
    assert (contribution.diff() > 0).all()


def test_idf_in_the_matching_function_is_inverse_idf_in_the_contributions() -> None:
    """Reading (a): plain FLOPS of w is FLOPS of idf · w over the IDF, here without the constant (mean IDF 1)."""
    idf = torch.tensor([0.5, 1.5])
    weights = torch.tensor([[4.0, 6.0], [1.0, 0.0]])
    torch.testing.assert_close(IDFFlops(idf)(idf * weights), Flops()(weights))


@pytest.mark.parametrize("weighting", ["inverse", "contribution"])
def test_a_flat_idf_table_is_plain_flops(weighting: Any) -> None:
    torch.testing.assert_close(IDFFlops(torch.full((20,), 7.5), weighting)(documents()), Flops()(documents()))


def test_idf_floor_bounds_tokens_of_no_weight() -> None:
    idf = torch.tensor([0.0, 1.0, 3.0])  # mean of the positive ones is 2: u = (0, 1/2, 3/2), the first raised to 1/4
    regularizer = IDFFlops(idf, floor=0.25)
    torch.testing.assert_close(gradient(regularizer, torch.ones(1, 3)), torch.tensor([[32.0, 8.0, 8 / 9]]))
    assert gradient(IDFFlops(idf, "contribution"), torch.ones(1, 3))[0, 0].item() == 0


def test_df_value_and_gradient() -> None:
    # token 0 in both documents: activ(1) = 1; token 1 in half: x^(log_¼ 2) = (1/2)^(−1/2) = √2
    half = 1 / (1 + (2**0.5 - 1) ** 2)
    weights = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    assert DFFlops(2, alpha=0.25, beta=2.0)(weights).item() == pytest.approx(4 + half)
    expected = torch.tensor([[2.0, half], [2.0, half]])
    torch.testing.assert_close(gradient(DFFlops(2, alpha=0.25, beta=2.0), weights), expected)


def test_df_activation() -> None:
    """0, 1/2 and 1 at 0, α and 1, rising between, steeper for a larger β."""
    regularizer = DFFlops(1, alpha=0.1, beta=10.0)
    torch.testing.assert_close(regularizer.activation(torch.tensor([0.0, 0.1, 1.0])), torch.tensor([0.0, 0.5, 1.0]))
    shares = torch.linspace(0.02, 0.4, 50)
    assert (regularizer.activation(shares).diff() >= 0).all()
    assert regularizer.activation(torch.tensor(0.05)) < DFFlops(1, 0.1, 2.0).activation(torch.tensor(0.05))
    # x^(log_.1 2) = 0.01^−0.30103 = 4 (two decades, a factor 2 each): 1 / (1 + 3^10)
    assert regularizer.activation(torch.tensor(0.01)).item() == pytest.approx(1 / (1 + 3**10), rel=1e-4)


def test_df_running_mean() -> None:
    """After batches with token 0 in 2/2 then 0/2 documents, and token 1 in 1/2 then 1/2, momentum 3/4."""
    regularizer = DFFlops(2, momentum=0.75)
    regularizer(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    assert regularizer.frequencies().tolist() == pytest.approx([1.0, 0.5])
    regularizer(torch.tensor([[0.0, 9.0], [0.0, 0.0]]))
    # running: 3/4 · 1/4 = 3/16 and 3/4 · 1/8 + 1/4 · 1/2 = 7/32, over 1 − 9/16 = 7/16
    assert regularizer.frequencies().tolist() == pytest.approx([3 / 7, 1 / 2])


def test_df_pushes_tokens_with_long_posting_lists_harder() -> None:
    """Two tokens of equal mean weight: many documents with a little, against few with much."""
    weights = torch.tensor([[1.0, 4.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    push = gradient(DFFlops(2, alpha=0.5, beta=4.0), weights)[0]
    assert push[0] > push[1] > 0


def test_df_frequencies_are_saved_and_only_training_moves_them() -> None:
    regularizer = DFFlops(2, momentum=0.5)
    regularizer(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    resumed = DFFlops(2, momentum=0.5)
    resumed.load_state_dict(regularizer.state_dict())
    assert resumed.frequencies().tolist() == regularizer.frequencies().tolist() == pytest.approx([1.0, 0.5])
    batch = torch.tensor([[0.0, 2.0]])
    assert resumed(batch).item() == regularizer(batch).item()
    before = regularizer.frequencies().tolist()
    regularizer.eval()(torch.tensor([[5.0, 5.0]]))
    assert regularizer.frequencies().tolist() == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L0Mask(Flops(), -1), "l0 mask threshold -1"),
        (lambda: IDFFlops(torch.zeros(3)), "one at least above 0"),
        (lambda: IDFFlops(torch.tensor([1.0, float("nan")])), "one at least above 0"),
        (lambda: IDFFlops(torch.ones(3), "rare"), "idf weighting 'rare'; it is one of inverse, contribution"),
        (lambda: IDFFlops(torch.ones(3), floor=0), "idf floor 0"),
        (lambda: DFFlops(3, alpha=1.0), "df-flops alpha 1.0"),
        (lambda: DFFlops(3, beta=0.0), "df-flops beta 0.0"),
        (lambda: DFFlops(3, momentum=1.0), "df-flops momentum 1.0"),
    ],
)
def test_settings_out_of_range(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
