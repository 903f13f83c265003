"""The loss that the trainer calls, on vectors made by hand: candidates, labels, λ, and what is watched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from opensearch_lsr.training.loss import LSRLoss
from opensearch_lsr.training.objectives.info_nce import InfoNCE
from opensearch_lsr.training.objectives.kl import KLDistillation
from opensearch_lsr.training.objectives.margin_mse import MarginMSE
from opensearch_lsr.training.regularizers.df_flops import DFFlops
from opensearch_lsr.training.regularizers.flops import Flops
from opensearch_lsr.training.schedules import DimsController, Schedule

ONE, TWO = [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]  # vectors of three tokens
BOTH, NONE = [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]


class Stub(torch.nn.Module):
    """Encodes features that hold their vectors."""

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": features["vectors"]}


class Scores:
    """A teacher that knows pairs by index, and remembers what it was asked."""

    def __init__(self, known: dict[tuple[int, int], float]) -> None:
        self.known = known
        self.asked: tuple[list[int], list[int], Tensor]

    def scores(self, queries: Sequence[int], documents: Sequence[int], mask: Tensor) -> Tensor:
        self.asked = (list(queries), list(documents), mask)
        return torch.tensor(
            [[self.known.get((query, document), math.nan) for document in documents] for query in queries]
        )


class Capture:
    """An objective that keeps what it is given; its value is the sum of the candidates' scores."""

    def __call__(self, student: Tensor, teacher: Tensor | None, positive: Tensor, mask: Tensor) -> Tensor:
        self.student, self.teacher, self.positive, self.mask = student, teacher, positive, mask
        return student[mask].sum()


def make(**changes: Any) -> LSRLoss:
    given: dict[str, Any] = {
        "model": Stub(),
        "queries": 1,
        "objectives": [(1.0, InfoNCE())],
        "teacher": None,
        "regularizer": Flops(),
        "weight": 0.0,
        "query_weight": 0.0,
        "schedule": Schedule("constant", 0),
        "controller": None,
        "candidates": "batch",
    }
    return LSRLoss(**given | changes)


def columns(*vectors: list[list[float]]) -> list[dict[str, Tensor]]:
    """One column of a batch each, a vector an example."""
    return [{"vectors": torch.tensor(column)} for column in vectors]


def seen(labels: list[list[int]], *vectors: list[list[float]], **changes: Any) -> Capture:
    capture = Capture()
    make(objectives=[(1.0, capture)], **changes)(columns(*vectors), torch.tensor(labels))
    return capture


def test_in_batch_candidates() -> None:
    capture = seen([[7, 3], [8, 4]], [ONE, TWO], [BOTH, TWO])
    assert capture.student.tolist() == [[1.0, 0.0], [2.0, 4.0]]
    assert capture.positive.tolist() == [0, 1]
    assert capture.mask.all()
    assert capture.teacher is None


def test_value_by_hand() -> None:
    """Two queries, two documents: −ln softmax of (1, 0) at 0 and of (2, 4) at 1, averaged."""
    terms = make(objectives=[(3.0, InfoNCE())])(columns([ONE, TWO], [BOTH, TWO]), torch.tensor([[7, 3], [8, 4]]))
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))) / 2
    assert terms["InfoNCE"].item() == pytest.approx(3 * expected, rel=1e-6)
    assert terms["regularizer"].item() == 0


def test_a_text_that_comes_twice_is_no_negative_of_itself() -> None:
    """Documents 3 and 3: a query's candidate is its own copy, another's the first; 4 stays a candidate of all."""
    capture = seen([[7, 3], [8, 3], [9, 4]], [ONE] * 3, [ONE] * 3)
    assert capture.mask.tolist() == [[True, False, True], [False, True, True], [True, False, True]]


def test_a_positive_that_is_anothers_hard_negative() -> None:
    """Column 2 of example 1 is document 3, the positive of example 0."""
    capture = seen([[7, 3, 5], [8, 4, 3]], [ONE] * 2, [ONE] * 2, [ONE] * 2)
    assert capture.mask.tolist() == [[True, True, True, False], [True, True, True, False]]


def test_hard_negatives_stand_behind_the_positives() -> None:
    """Columns are concatenated: first all positives, then all first negatives."""
    teacher = Scores({(7, 3): 9.0, (8, 5): 1.0})
    capture = seen([[7, 3, 5], [8, 4, 6]], [ONE, TWO], [BOTH, TWO], [NONE, ONE], teacher=teacher)
    assert capture.student.tolist() == [[1.0, 0.0, 0.0, 1.0], [2.0, 4.0, 0.0, 0.0]]
    assert capture.positive.tolist() == [0, 1]
    assert teacher.asked[:2] == ([7, 8], [3, 4, 5, 6])
    assert capture.teacher is not None
    assert capture.teacher.nan_to_num(-1).tolist() == [[9.0, -1, -1, -1], [-1, -1, 1.0, -1]]


def test_own_candidates() -> None:
    capture = seen([[7, 3, 5], [8, 4, 6]], [ONE] * 2, [ONE] * 2, [ONE] * 2, candidates="own")
    assert capture.mask.tolist() == [[True, False, True, False], [False, True, False, True]]


def test_several_queries_of_an_example() -> None:
    """All first queries, then all second ones; both ask for their example's document."""
    teacher = Scores({})
    capture = seen(
        [[7, 17, 3], [8, 18, 4]], [ONE, TWO], [TWO, BOTH], [BOTH, NONE], queries=2, teacher=teacher, candidates="own"
    )
    assert capture.student.tolist() == [[1.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]]
    assert capture.positive.tolist() == [0, 1, 0, 1]
    assert capture.mask.tolist() == [[True, False], [False, True], [True, False], [False, True]]
    assert teacher.asked[:2] == ([7, 8, 17, 18], [3, 4])
    assert torch.equal(teacher.asked[2], capture.mask)


def test_distillation_by_hand() -> None:
    """Own candidates: margins of 1 − 0 and 4 − 0 against the teacher's 3 − 1 and 4 − 2; KL of the same."""
    teacher = Scores({(7, 3): 3.0, (7, 5): 1.0, (8, 4): 4.0, (8, 6): 2.0})
    objectives = [(1.0, MarginMSE()), (0.5, KLDistillation())]
    terms = make(objectives=objectives, teacher=teacher, candidates="own")(
        columns([ONE, TWO], [BOTH, TWO], [NONE, ONE]), torch.tensor([[7, 3, 5], [8, 4, 6]])
    )
    assert terms["MarginMSE"].item() == pytest.approx(((1 - 2) ** 2 + (4 - 2) ** 2) / 2)

    def divergence(student: float, teacher: float) -> float:
        t, s = 1 / (1 + math.exp(-teacher)), 1 / (1 + math.exp(-student))
        return t * math.log(t / s) + (1 - t) * math.log((1 - t) / (1 - s))

    assert terms["KLDistillation"].item() == pytest.approx((divergence(1, 2) + divergence(4, 2)) / 2 / 2, rel=1e-5)


def test_sparsity_by_step() -> None:
    """Documents (1, 1, 0) and (0, 2, 0) have means (1/2, 3/2): FLOPS 2.5; queries 1 and 2: 1/4 + 1."""
    loss = make(weight=0.1, query_weight=0.2, schedule=Schedule("quadratic", 10))
    for step, factor in ((0, 0.0), (5, 0.25), (10, 1.0), (99, 1.0)):
        loss.step = step
        terms = loss(columns([ONE, TWO], [BOTH, TWO]), torch.tensor([[7, 3], [8, 4]]))
        assert terms["regularizer"].item() == pytest.approx(factor * (0.1 * 2.5 + 0.2 * 1.25))


def test_controller_scales_documents_only_and_rests_in_evaluation() -> None:
    """1.5 active tokens against a target of 3 at rate 1: the factor halves with each batch."""
    controller = DimsController(target=3, rate=1.0)
    loss = make(weight=0.1, query_weight=0.2, controller=controller)
    batch = columns([ONE, TWO], [BOTH, TWO]), torch.tensor([[7, 3], [8, 4]])
    for factor in (0.5, 0.25):
        assert loss(*batch)["regularizer"].item() == pytest.approx(factor * 0.1 * 2.5 + 0.2 * 1.25)
    loss.eval()
    loss(*batch)
    assert controller.factor == 0.25


def test_figures() -> None:
    """Query 0 ranks its own document first, as the teacher does; query 1 ranks document 0 first, the teacher 1."""
    teacher = Scores({(7, 3): 2.0, (7, 4): 1.0, (8, 4): 5.0})  # (8, 3) is unknown: never the teacher's best
    loss = make(teacher=teacher, objectives=[(1.0, KLDistillation())])
    loss(columns([ONE, BOTH], [BOTH, ONE]), torch.tensor([[7, 3], [8, 4]]))
    assert loss.take_figures() == {
        "active_dims": 1.5,
        "query_active_dims": 1.5,
        "positive_first": 0.5,
        "teacher_agreement": 0.5,
    }
    loss = make(teacher=None)
    loss(columns([ONE, TWO], [ONE, TWO]), torch.tensor([[7, 3], [8, 4]]))
    assert loss.take_figures() == {"active_dims": 1.0, "query_active_dims": 1.0, "positive_first": 1.0}


def test_figures_are_means_since_they_were_taken() -> None:
    loss, labels = make(), torch.tensor([[7, 3], [8, 4]])
    loss(columns([ONE, TWO], [ONE, TWO]), labels)
    loss(columns([ONE, TWO], [BOTH, BOTH]), labels)
    loss(columns([ONE, TWO], [TWO, ONE]), labels)
    assert loss.take_figures()["active_dims"] == pytest.approx((1 + 2 + 1) / 3)
    assert loss.take_figures() == {}
    loss(columns([ONE, TWO], [BOTH, BOTH]), labels)
    assert loss.take_figures()["active_dims"] == 2


def test_pairs_that_are_no_candidates_win_no_figure() -> None:
    """Document 1 scores higher for query 0, but with own candidates it is none."""
    batch = columns([TWO, TWO], [BOTH, TWO]), torch.tensor([[7, 3], [8, 4]])
    for candidates, first in (("batch", 0.5), ("own", 1.0)):
        loss = make(candidates=candidates)
        loss(*batch)
        assert loss.take_figures()["positive_first"] == first


def test_the_sum_of_the_terms_has_the_gradient_of_the_total() -> None:
    """What the trainer does with the dictionary is the weighted sum of the parts."""
    teacher = Scores({(7, 3): 3.0, (7, 4): 1.0, (8, 3): 2.0, (8, 4): 4.0})
    objectives = [(2.0, InfoNCE()), (0.5, KLDistillation())]
    loss = make(objectives=objectives, teacher=teacher, weight=0.1)
    queries = torch.tensor([ONE, TWO], requires_grad=True)
    documents = torch.tensor([BOTH, TWO], requires_grad=True)
    labels = torch.tensor([[7, 3], [8, 4]])
    terms = loss([{"vectors": queries}, {"vectors": documents}], labels)
    assert set(terms) == {"InfoNCE", "KLDistillation", "regularizer"}
    given = torch.autograd.grad(torch.stack(list(terms.values())).sum(), [queries, documents])
    student, target = queries @ documents.T, torch.tensor([[3.0, 1.0], [2.0, 4.0]])
    contrast = torch.nn.functional.cross_entropy(student, torch.tensor([0, 1]))
    kl = torch.nn.functional.kl_div(student.log_softmax(1), target.softmax(1), reduction="batchmean")
    total = 2 * contrast + 0.5 * kl + 0.1 * documents.mean(dim=0).square().sum()
    torch.testing.assert_close(sum(terms.values()), total)
    for own, expected in zip(given, torch.autograd.grad(total, [queries, documents]), strict=True):
        torch.testing.assert_close(own, expected)


def test_one_kind_of_objective_twice() -> None:
    """Two InfoNCE terms, one with a margin: both count."""
    teacher = Scores({(7, 3): 3.0, (7, 4): 3.0, (8, 3): 0.0, (8, 4): 4.0})
    batch = columns([ONE, TWO], [BOTH, TWO]), torch.tensor([[7, 3], [8, 4]])
    parts = [(1.0, InfoNCE()), (1.0, InfoNCE(margin=1.0))]
    apart = [sum(make(objectives=[part], teacher=teacher)(*batch).values()) for part in parts]
    together = sum(make(objectives=parts, teacher=teacher)(*batch).values())
    torch.testing.assert_close(together, apart[0] + apart[1])


def test_document_frequencies_are_of_documents() -> None:
    """Token 0 is in one of two documents; that all queries have it changes nothing."""
    regularizer = DFFlops(3)
    loss = make(regularizer=regularizer, weight=0.1, query_weight=0.1)
    loss(columns([ONE, ONE], [BOTH, TWO]), torch.tensor([[7, 3], [8, 4]]))
    torch.testing.assert_close(regularizer.frequencies(), torch.tensor([0.5, 1.0, 0.0]))
