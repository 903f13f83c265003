"""BM25 as a teacher: by hand, and equal to bm25s pair by pair."""

from __future__ import annotations

import math
from typing import Any

import bm25s
import pytest
import Stemmer
import torch

from opensearch_lsr.training.bm25 import tokenize
from opensearch_lsr.training.teachers.bm25 import BM25Teacher

DOCUMENTS = [
    "The kitchen tap leaks: a leaking tap drips all night.",
    "Replacing a tap washer stops the drip.",
    "Baking bread needs flour, water and salt; bread rises in a warm kitchen.",
    "Water",
    "",
    "the and of",  # stop words alone
    "Éclairs, naïve cafés and 42 trains",
    "tap tap tap tap tap tap tap tap",
]
QUERIES = [
    "leaking kitchen tap",
    "tap tap bread",  # a repeated term counts twice
    "xylophone",  # in no document
    "water xylophone",
    "the",
    "",
    "naïve trains in 42 cafés",
]


def reference(queries: list[str], documents: list[str], k1: float, b: float) -> torch.Tensor:
    def tokens(texts: list[str]) -> Any:
        stemmer = Stemmer.Stemmer("english")
        return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)

    index = bm25s.BM25(k1=k1, b=b, method="lucene")
    index.index(tokens(documents), show_progress=False)
    nothing = torch.zeros(len(documents))
    return torch.stack([torch.from_numpy(index.get_scores(row)) if row else nothing for row in tokens(queries)])


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.9, 0.4), (2.0, 0.0), (1.5, 1.0)])
def test_equals_bm25s(k1: float, b: float) -> None:
    got = BM25Teacher(QUERIES, DOCUMENTS, k1, b).scores(range(len(QUERIES)), range(len(DOCUMENTS)))
    assert got.dtype == torch.float32
    expected = reference(QUERIES, DOCUMENTS, k1, b)
    assert expected.count_nonzero() == 11
    torch.testing.assert_close(got, expected)


def test_by_hand() -> None:
    # N = 2, avg|d| = 1.5; "fish": df = 1, idf = ln(1 + 1.5/1.5); tf = 1, |d| = 2: 1 / (1 + 1.2 · (0.25 + 0.75 · 2/1.5))
    expected = math.log(2) / (1 + 1.2 * (0.25 + 0.75 * 2 / 1.5))
    got = BM25Teacher(["fish", "fishes fish"], ["red fish", "blue"]).scores([0, 1], [0, 1])
    torch.testing.assert_close(got, torch.tensor([[expected, 0], [2 * expected, 0]]))


def test_any_block_is_a_part_of_the_whole() -> None:
    teacher = BM25Teacher(QUERIES, DOCUMENTS)
    whole = teacher.scores(range(len(QUERIES)), range(len(DOCUMENTS)))
    queries, documents = [6, 0, 0], [7, 2, 2, 0]
    assert torch.equal(teacher.scores(queries, documents), whole[queries][:, documents])
    assert torch.equal(teacher.scores([1], [7]), whole[1:2, 7:8])
    assert whole[1, 7] > 0


def test_terms_are_sorted_and_of_documents_only() -> None:
    ids, terms = tokenize(["Leaking taps leak", "the"])
    assert terms == ["leak", "tap"]
    assert ids == [[0, 1, 0], []]


@pytest.mark.parametrize("documents", [["the", ""], []])
def test_documents_without_words(documents: list[str]) -> None:
    got = BM25Teacher(["tap", "the"], documents).scores([0, 1], range(len(documents)))
    assert torch.equal(got, torch.zeros(2, len(documents)))
