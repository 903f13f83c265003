"""Hard negatives: ranks, what is never one, and the searchers that rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sentence_transformers.sparse_encoder.modules import SpladePooling

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data.beir import read_queries
from opensearch_lsr.data.training_set import Row, TrainingSet, read
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import CheckpointError, InputError
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.sparse_vector import dot
from opensearch_lsr.training import negatives
from opensearch_lsr.training.negatives import BM25Searcher, EncoderSearcher, Scores, mine, ranked

DOCUMENTS = ["the dog drinks water", "a cat in the garden", "bread from the oven", "dog and cat", "milk"]
QUERIES = ["dog water", "warm bread", "cat"]


class Fixed:
    """Scores that are given: the same for every query."""

    def __init__(self, scores: Sequence[float]) -> None:
        self._scores = np.asarray(scores, dtype=np.float32)

    def scores(self, queries: Sequence[str]) -> Scores:
        return np.tile(self._scores, (len(queries), 1))


#                  0    1    2    3    4    5    6    7
SCORES = Fixed([5.0, 9.0, 0.0, 4.0, 9.0, 1.0, 8.0, 4.8])
LETTERS = list("abcdefgh")


def mined(rows: Sequence[Row], **options: object) -> list[tuple[int, ...]]:
    options = {"depth": (1, 100), "per_query": 100, **options}
    found = mine(TrainingSet(["q", "p"], LETTERS, list(rows)), SCORES, **options)  # type: ignore[arg-type]
    assert (found.queries, found.documents) == (["q", "p"], LETTERS)
    return [row.documents for row in found.rows]


def test_ranks_without_the_positives() -> None:
    rows = [Row(0, (0, 7), (1.0, 0.5)), Row(0, (6, 2)), Row(1, (0,))]  # 0 and 6 answer q; given negatives are replaced
    assert mined(rows) == [(0, 1, 4, 7, 3, 5), (6, 1, 4, 7, 3, 5), (0, 1, 4, 6, 7, 3, 5)]
    assert mined(rows, depth=(2, 4)) == [(0, 4, 7, 3), (6, 4, 7, 3), (0, 4, 6, 7)]
    assert mined(rows, depth=(6, 9)) == [(0,), (6,), (0, 5)]  # fewer match than the range holds: down to none


def test_likely_answers_are_left_out() -> None:
    assert mined([Row(0, (0,))], max_ratio=0.95) == [(0, 3, 5)]  # 4.75 at most: 4.8 is out
    assert mined([Row(0, (0,)), Row(0, (6,))], max_ratio=1.0) == [(0, 7, 3, 5), (6, 7, 3, 5)]
    assert mined([Row(0, (2,))], max_ratio=0.95) == [(2,)]  # a positive that is not found leaves none


def test_the_draw_is_the_seeds_and_in_rank_order() -> None:
    rows = [Row(0, (0,)), Row(1, (0,))]
    first = mined(rows, per_query=3, seed=1)
    assert first == mined(rows, per_query=3, seed=1)
    assert all(len(row) == 4 for row in first)
    draws = {seed: mined(rows, per_query=3, seed=seed) for seed in range(20)}
    assert len({str(draw) for draw in draws.values()}) > 10
    assert any(one != other for one, other in draws.values())  # rows draw apart
    best_first = (1, 4, 6, 7, 3, 5)
    assert all(list(row[1:]) == sorted(row[1:], key=best_first.index) for row in first)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = read(SAMPLE, "test")
    searcher = BM25Searcher(sample.documents)
    reports: list[tuple[str, int, int]] = []
    whole = mine(sample, searcher, (2, 20), 4)
    monkeypatch.setattr(negatives, "SCORES_A_BLOCK", 220 * 30)
    assert mine(sample, searcher, (2, 20), 4, on_progress=lambda *report: reports.append(report)) == whole
    assert reports == [("queries", 30, 64), ("queries", 60, 64), ("queries", 64, 64)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": (0, 5)}, "depth 0-5"),
        ({"depth": (9, 5)}, "depth 9-5"),
        ({"per_query": 0}, "0 negatives"),
        ({"max_ratio": 0.0}, "max ratio 0.0"),
        ({"max_ratio": float("nan")}, "max ratio nan"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        mined([Row(0, (0,))], **options)


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, st.integers(1, 30), elements=st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0])),
    st.sets(st.integers(0, 29)),
    st.integers(1, 40),
)
def test_ranking_equals_a_sort(scores: Scores, excluded: set[int], last: int) -> None:
    excluded = {index for index in excluded if index < len(scores)}
    expected = sorted(
        (i for i in range(len(scores)) if scores[i] > 0 and i not in excluded), key=lambda i: (-scores[i], i)
    )
    before = scores.copy()
    assert ranked(scores, excluded, last).tolist() == expected[:last]
    assert (scores == before).all()


def test_bm25_by_hand() -> None:
    searcher = BM25Searcher(["cat cats dog", "a cat", "bird and fish"])  # 3, 1 and 2 words: 2 on average
    scores = searcher.scores(["the cats", "of", "unicorn", "fish"])
    idf_cat, idf_fish = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    first = idf_cat * 2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2))
    second = idf_cat * 1 / (1 + 1.2 * (0.25 + 0.75 * 1 / 2))
    third = idf_fish * 1 / (1 + 1.2)
    expected = np.array([[first, second, 0], [0, 0, 0], [0, 0, 0], [0, 0, third]])
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    with pytest.raises(InputError, match="no words that BM25 could find"):
        BM25Searcher(["the", "of a"])


def test_bm25_finds_what_the_sample_judges() -> None:
    sample = read(SAMPLE, "test")
    scores = BM25Searcher(sample.documents).scores(sample.queries)
    exact = {text for query, text in read_queries(SAMPLE).items() if query >= "q57"}  # hinge on names and numbers
    rows = [row for row in sample.rows if sample.queries[row.query] in exact]
    assert len(rows) >= 8
    assert sum(row.documents[0] in ranked(scores[row.query], [], 1) for row in rows) >= 7


@pytest.mark.parametrize("layout", ["router", "siamese"])
def test_a_bundle_and_its_checkpoint_rank_alike(
    layout: str,
    exported: Callable[..., Bundle],
    checkpoint_folder: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(negatives, "TEXTS_A_STEP", 2)
    bundle = exported(layout)
    reports: list[tuple[str, int, int]] = []
    of_bundle = EncoderSearcher(bundle.path, DOCUMENTS, lambda *report: reports.append(report)).scores(QUERIES)
    assert reports == [("documents", 2, 5), ("documents", 4, 5), ("documents", 5, 5)]
    assert of_bundle.dtype == np.float32
    documents = DocumentEncoder(bundle)
    encode = QueryEncoder.from_pretrained(str(bundle.path)).encode_batch if layout == "router" else documents.encode
    expected = [[dot(query, document) for document in documents.encode(DOCUMENTS)] for query in encode(QUERIES)]
    np.testing.assert_allclose(of_bundle, expected, rtol=1e-5)
    monkeypatch.delattr(SpladePooling, "forward")  # all logits of a batch: the arg-max head does without
    if layout == "router":  # a Siamese checkpoint gives special tokens weight, a bundle never
        of_checkpoint = EncoderSearcher(checkpoint_folder(layout), DOCUMENTS).scores(QUERIES)
        np.testing.assert_allclose(of_checkpoint, expected, rtol=1e-4)


def test_the_model_mines_for_itself(tiny: Bundle) -> None:
    rows = TrainingSet()
    for query, document in zip(QUERIES, DOCUMENTS, strict=False):
        rows.add(query, [document])
    for document in DOCUMENTS:
        rows.add_document(document)
    found = mine(rows, EncoderSearcher(tiny.path, rows.documents), (1, 1), 1)
    assert [len(row.documents) for row in found.rows] == [2, 2, 2]
    assert rows.documents[found.rows[0].documents[1]] == "dog and cat"


def test_what_is_no_encoder(tmp_path: Path, checkpoint_folder: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="nowhere: no such folder"):
        EncoderSearcher("nowhere", DOCUMENTS)
    with pytest.raises(CheckpointError, match="neither a bundle .* nor a sentence-transformers SparseEncoder"):
        EncoderSearcher(checkpoint_folder("mlm"), DOCUMENTS)
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(CheckpointError, match="cannot be opened"):
        EncoderSearcher(tmp_path, DOCUMENTS)
