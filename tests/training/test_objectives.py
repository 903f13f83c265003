"""Objectives against arithmetic on paper, and against sentence-transformers where both apply."""

from __future__ import annotations

import doctest
import math
from typing import Any

import pytest
import torch
from sentence_transformers.sparse_encoder import losses
from torch import Tensor

from opensearch_lsr.training.objectives import info_nce, kl, margin_mse
from opensearch_lsr.training.objectives.info_nce import InfoNCE
from opensearch_lsr.training.objectives.kl import KLDistillation
from opensearch_lsr.training.objectives.margin_mse import MarginMSE

FIRST = torch.tensor([0])
ALL: list[Any] = [KLDistillation(), MarginMSE(), InfoNCE()]


def leaf(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, requires_grad=True)


@pytest.mark.parametrize("module", [kl, margin_mse, info_nce])
def test_docstring_examples(module: Any) -> None:
    results = doctest.testmod(module)
    assert (results.failed, results.attempted > 0) == (0, True)


def test_kl_value_and_gradient() -> None:
    # t = (3/4, 1/4), s = softmax(ln 1, ln 4) = (1/5, 4/5)
    student, teacher = leaf([0.0, math.log(4)]), torch.tensor([[math.log(3), 0.0]])
    loss = KLDistillation()(student, teacher, FIRST)
    assert loss.item() == pytest.approx(0.75 * math.log(0.75 / 0.2) + 0.25 * math.log(0.25 / 0.8))
    loss.backward()
    torch.testing.assert_close(student.grad, torch.tensor([[0.2 - 0.75, 0.8 - 0.25]]))


def test_kl_scale_multiplies_the_student_only() -> None:
    # softmax(2 · (0, ln 2)) = (1/5, 4/5) again, and the gradient has the factor 2
    student, teacher = leaf([0.0, math.log(2)]), torch.tensor([[math.log(3), 0.0]])
    loss = KLDistillation(scale=2.0)(student, teacher, FIRST)
    assert loss.item() == pytest.approx(0.75 * math.log(0.75 / 0.2) + 0.25 * math.log(0.25 / 0.8))
    loss.backward()
    torch.testing.assert_close(student.grad, 2 * torch.tensor([[0.2 - 0.75, 0.8 - 0.25]]))


def test_kl_is_the_mean_over_queries() -> None:
    teacher = torch.tensor([[math.log(3), 0.0], [5.0, 5.0]])
    loss = KLDistillation()(torch.zeros(2, 2), teacher, torch.tensor([0, 1]))  # the second query agrees: 0
    assert loss.item() == pytest.approx((0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2)


def test_kl_equals_sentence_transformers() -> None:
    queries, documents, teacher = batch()
    reference = losses.SparseDistillKLDivLoss(None, temperature=1.0)
    expected = reference.compute_loss_from_embeddings([queries, *documents], teacher)
    torch.testing.assert_close(KLDistillation()(scores(queries, documents), teacher, torch.zeros(4).long()), expected)


def test_margin_mse_value_and_gradient() -> None:
    # e = (5 − 4) − (9 − 6) = −2 and (5 − 3) − (9 − 7) = 0; loss (4 + 0) / 2, dS_n = −2 e / 2 = 2, dS_p = −2
    student, teacher = leaf([5.0, 4.0, 3.0]), torch.tensor([[9.0, 6.0, 7.0]])
    loss = MarginMSE()(student, teacher, FIRST)
    assert loss.item() == 2.0
    loss.backward()
    assert student.grad is not None
    assert student.grad.tolist() == [[-2.0, 2.0, 0.0]]


def test_margin_mse_weighs_queries_alike_however_many_negatives() -> None:
    # query 0: one negative, e = 0 − 1, square 1; query 1 (positive in column 2): e = 0 − 1 and 0 − 2, mean 2.5
    teacher = torch.tensor([[1.0, 0.0, 7.0], [2.0, 1.0, 3.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    loss = MarginMSE()(torch.zeros(2, 3), teacher, torch.tensor([0, 2]), mask)
    assert loss.item() == pytest.approx((1 + (1 + 4) / 2) / 2)


def test_margin_mse_equals_sentence_transformers() -> None:
    queries, documents, teacher = batch()
    expected = losses.SparseMarginMSELoss(None).compute_loss_from_embeddings([queries, *documents], teacher)
    torch.testing.assert_close(MarginMSE()(scores(queries, documents), teacher, torch.zeros(4).long()), expected)


def test_info_nce_value_and_gradient() -> None:
    # softmax(2 · (ln 2, 0)) = (4/5, 1/5); gradient 2 · (4/5 − 1, 1/5)
    student = leaf([math.log(2), 0.0])
    loss = InfoNCE(scale=2.0)(student, None, FIRST)
    assert loss.item() == pytest.approx(-math.log(0.8))
    loss.backward()
    torch.testing.assert_close(student.grad, torch.tensor([[-0.4, 0.4]]))


def test_info_nce_equals_sentence_transformers_with_in_batch_negatives() -> None:
    queries, documents, _ = batch()
    reference = losses.SparseMultipleNegativesRankingLoss(None, scale=0.5)
    expected = reference.compute_loss_from_embeddings([queries, *documents], torch.zeros(4))
    student = queries @ torch.cat(documents).T  # each query against all twelve documents, its own at its row
    torch.testing.assert_close(InfoNCE(scale=0.5)(student, None, torch.arange(4)), expected)


@pytest.mark.parametrize(
    ("margin", "left"),
    [(None, 4), (0.0, 3), (2.0, 3), (2.5, 2)],  # the second is above the positive's 9, the third at 9 − 2 exactly
)
def test_info_nce_leaves_likely_false_negatives_out(margin: float | None, left: int) -> None:
    teacher = torch.tensor([[9.0, 9.5, 7.0, 1.0]])
    student = leaf([0.0, 0.0, 0.0, 0.0])
    loss = InfoNCE(margin=margin)(student, teacher, FIRST)
    assert loss.item() == pytest.approx(math.log(left))
    loss.backward()
    assert student.grad is not None
    assert (student.grad[0, 1].item() == 0) is (margin is not None)


def test_info_nce_always_keeps_the_positive() -> None:
    mask = torch.tensor([[False, True]])
    assert InfoNCE(margin=-1.0)(torch.zeros(1, 2), torch.zeros(1, 2), FIRST, mask).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("objective", ALL)
def test_masked_pairs_leave_no_trace(objective: Any) -> None:
    queries, documents, teacher = batch()
    student = scores(queries, documents)
    wide = torch.cat([student, torch.full((4, 1), 99.0)], dim=1).requires_grad_()
    wide_teacher = torch.cat([teacher, torch.full((4, 1), -99.0)], dim=1)
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[:, 3] = False
    loss = objective(wide, wide_teacher, torch.zeros(4).long(), mask)
    torch.testing.assert_close(loss, objective(student, teacher, torch.zeros(4).long()))
    loss.backward()
    assert wide.grad is not None
    assert not wide.grad[:, 3].any()
    assert wide.grad[:, :3].any()


@pytest.mark.parametrize("objective", [KLDistillation(), MarginMSE()])
def test_pairs_unknown_to_the_teacher_are_as_masked(objective: Any) -> None:
    queries, documents, teacher = batch()
    student = scores(queries, documents).requires_grad_()
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[1, 2] = mask[3, 1] = False
    loss = objective(student, teacher.masked_fill(~mask, float("nan")), torch.zeros(4).long())
    torch.testing.assert_close(loss, objective(student, teacher, torch.zeros(4).long(), mask))
    loss.backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("objective", [*ALL, InfoNCE(margin=1.0)])
def test_one_query_with_nothing_to_compare_adds_nothing(objective: Any) -> None:
    student = leaf([3.0, 1.0])
    loss = objective(student, torch.tensor([[2.0, 0.5]]), FIRST, torch.tensor([[True, False]]))
    loss.backward()
    assert loss.item() == 0
    assert student.grad is not None
    assert not student.grad.any()


def test_kl_of_a_query_the_teacher_does_not_know_at_all() -> None:
    student, teacher = leaf([3.0, 1.0], [0.0, 0.0]), torch.tensor([[math.nan, math.nan], [math.log(3), 0.0]])
    loss = KLDistillation()(student, teacher, torch.tensor([0, 0]))
    assert loss.item() == pytest.approx((0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2)
    loss.backward()
    torch.testing.assert_close(student.grad, torch.tensor([[0.0, 0.0], [-0.125, 0.125]]))


@pytest.mark.parametrize("objective", ALL)
def test_all_zero_documents_have_finite_gradients(objective: Any) -> None:
    documents = torch.zeros(3, 5, requires_grad=True)
    student = torch.rand(2, 5) @ documents.T
    objective(student, torch.rand(2, 3), torch.tensor([0, 1])).backward()
    assert documents.grad is not None
    assert documents.grad.isfinite().all()
    assert documents.grad.any()


def batch() -> tuple[Tensor, list[Tensor], Tensor]:
    """Four queries [4, 6], positives and two negatives each (3 × [4, 6]), and the teacher's [4, 3]."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.rand(4, 6, generator=generator)
    documents = [torch.rand(4, 6, generator=generator) for _ in range(3)]
    return queries, documents, 3 * torch.rand(4, 3, generator=generator)


def scores(queries: Tensor, documents: list[Tensor]) -> Tensor:
    return torch.stack([(queries * column).sum(dim=1) for column in documents], dim=1)
