"""The ensemble against numbers worked out by hand: normalisation, weights, unknown pairs, masks, the edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

from opensearch_lsr.errors import InputError
from opensearch_lsr.training.teachers.ensemble import Ensemble, combine, min_max
from opensearch_lsr.training.teachers.precomputed import PrecomputedTeacher

NAN = math.nan


@dataclass
class Table:
    """A teacher that is a table."""

    name: str
    table: torch.Tensor

    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        return self.table[list(queries)][:, list(documents)]


@dataclass(frozen=True)
class Row:
    """What PrecomputedTeacher reads of a training set's row."""

    query: int
    documents: tuple[int, ...]
    scores: tuple[float, ...] | None


def assert_close(got: torch.Tensor, expected: list[list[float]]) -> None:
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float32), equal_nan=True)


def test_min_max_takes_each_query_to_0_to_1() -> None:
    assert_close(min_max(torch.tensor([[0.2, 0.7, 0.45], [-3.0, 5.0, 1.0]])), [[0, 1, 0.5], [0, 1, 0.5]])


def test_min_max_leaves_unknown_pairs_out() -> None:
    assert_close(min_max(torch.tensor([[2.0, NAN, 4.0, 3.0]])), [[0, NAN, 1, 0.5]])


def test_min_max_leaves_masked_pairs_out() -> None:
    scores = torch.tensor([[100.0, 1.0, 3.0, 2.0], [NAN, 1.0, 2.0, -100.0]])
    mask = torch.tensor([[False, True, True, True], [False, True, True, False]])
    assert_close(min_max(scores, mask), [[0, 0, 1, 0.5], [0, 0, 1, 0]])


def test_equal_candidates_give_zeros() -> None:
    assert_close(min_max(torch.tensor([[7.0, 7.0], [0.0, 0.0], [-2.0, NAN]])), [[0, 0], [0, 0], [0, NAN]])


def test_a_rounding_error_is_no_difference() -> None:
    score = torch.tensor(0.7)
    above = torch.nextafter(score, torch.tensor(1.0))
    assert above > score
    assert_close(min_max(torch.stack([score, above])[None]), [[0, 0]])
    assert_close(min_max(torch.tensor([[0.7, 0.7001]])), [[0, 1]])


def test_a_row_without_known_candidates() -> None:
    assert_close(min_max(torch.tensor([[NAN, NAN], [1.0, 2.0]])), [[NAN, NAN], [0, 1]])
    assert_close(min_max(torch.tensor([[5.0, 6.0]]), torch.tensor([[False, False]])), [[0, 0]])


def test_combine_renormalises_the_weights_of_a_pair() -> None:
    first, second = torch.tensor([[1.0, NAN, NAN]]), torch.tensor([[0.0, 0.5, NAN]])
    assert_close(combine([first, second], [0.75, 0.25], 30), [[22.5, 15, NAN]])


def test_scores_of_two_teachers() -> None:
    dense = Table("dense", torch.tensor([[0.2, 0.7, 0.45]]))
    lexical = Table("bm25", torch.tensor([[10.0, 4.0, 4.0]]))
    assert_close(Ensemble([(dense, 1.0), (lexical, 1.0)]).scores([0], [0, 1, 2]), [[15, 15, 7.5]])
    assert_close(Ensemble([(dense, 3.0), (lexical, 1.0)], scale=4).scores([0], [0, 1, 2]), [[1, 3, 1.5]])
    # another block, another minimum: documents 1 and 2 alone, and bm25 says nothing about them
    assert_close(Ensemble([(dense, 0.5), (lexical, 0.5)]).scores([0], [2, 1]), [[0, 15]])


def test_scores_with_a_mask() -> None:
    dense = Table("dense", torch.tensor([[0.9, 0.1, 0.5], [0.3, 0.2, 0.1]]))
    mask = torch.tensor([[False, True, True], [True, True, True]])
    assert_close(Ensemble([(dense, 1.0)]).scores([0, 1], [0, 1, 2], mask), [[0, 0, 30], [30, 15, 0]])


def test_one_query_or_one_document() -> None:
    teacher = Table("one", torch.tensor([[3.0, 1.0], [2.0, 4.0]]))
    ensemble = Ensemble([(teacher, 1.0)])
    assert_close(ensemble.scores([1], [0, 1]), [[0, 30]])
    assert_close(ensemble.scores([0, 1], [1]), [[0], [0]])
    assert_close(ensemble.scores([0], [0]), [[0]])


def test_precomputed_scores_fill_in_where_they_can() -> None:
    rows = [Row(0, (4, 5), (1.0, 3.0)), Row(0, (6,), (2.0,)), Row(1, (4,), None)]
    precomputed = PrecomputedTeacher(rows)
    assert_close(precomputed.scores([0, 1], [6, 4, 7]), [[2, 1, NAN], [NAN, NAN, NAN]])
    dense = Table("dense", torch.tensor([[0.0, 0, 0, 0, 0.2, 0.6, 0.4, 0.0]] * 2))
    ensemble = Ensemble([(dense, 0.5), (precomputed, 0.5)])
    # query 0: dense (1/3, 1, 2/3, 0), precomputed (0, 1, 1/2, unknown); query 1: dense alone
    assert_close(ensemble.scores([0, 1], [4, 5, 6, 7]), [[5, 30, 17.5, 0], [10, 30, 20, 0]])


def test_a_repeated_pair_keeps_the_later_score() -> None:
    precomputed = PrecomputedTeacher([Row(0, (1,), (0.5,)), Row(0, (1,), (0.25,))])
    assert_close(precomputed.scores([0], [1, 1]), [[0.25, 0.25]])


def test_names_and_weights() -> None:
    one, other = Table("dense", torch.zeros(1, 1)), Table("bm25", torch.zeros(1, 1))
    ensemble = Ensemble([(one, 3.0), (other, 1.0)])
    assert ensemble.name == "0.75 dense + 0.25 bm25"
    assert [weight for _, weight in ensemble.teachers] == [0.75, 0.25]


@pytest.mark.parametrize("weight", [0.0, -1.0, NAN, math.inf])
def test_a_weight_that_is_no_weight(weight: float) -> None:
    with pytest.raises(InputError, match="teacher dense weighs .*; weights are positive numbers"):
        Ensemble([(Table("dense", torch.zeros(1, 1)), weight)])


def test_no_teacher_and_no_scale() -> None:
    with pytest.raises(InputError, match="has no teacher"):
        Ensemble([])
    with pytest.raises(InputError, match="scale is 0"):
        Ensemble([(Table("dense", torch.zeros(1, 1)), 1.0)], scale=0)


def test_scores_as_they_are() -> None:
    """MarginMSE needs margins: 9 − 1 and 5.1 − 5 are not the same; what is no candidate is 0."""
    teacher = Table("cross", torch.tensor([[9.0, 1.0], [5.1, 5.0]]))
    ensemble = Ensemble([(teacher, 2.0)], scale=2.0, normalize=False)
    assert_close(ensemble.scores([0, 1], [0, 1]), [[18, 2], [10.2, 10]])
    assert_close(ensemble.scores([0, 1], [0, 1], torch.tensor([[True, False], [True, True]])), [[18, 0], [10.2, 10]])
