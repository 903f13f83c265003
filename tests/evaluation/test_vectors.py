"""Vectors of a corpus: the encoder's own, kept; and what they cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.evaluation import vectors

TEXTS = ["water in the kitchen", "", "repair the tap " * 40, "a red car"]


def test_they_are_the_encoders_own(tiny: Bundle, tmp_path: Path) -> None:
    found = vectors.encode(tiny, TEXTS, tmp_path)
    own = DocumentEncoder(tiny).encode([text for text in TEXTS if text])
    assert list(found) == [own[0], {}, own[1], own[2]]
    assert found[3] == own[2]
    assert found.truncated == 1
    assert found.largest_weight == max(weight for vector in own for weight in vector.values())
    assert found.encode_documents_per_s
    assert found.encode_documents_per_s > 0
    with pytest.raises(IndexError):
        found[4]


def test_they_are_encoded_once(tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = vectors.encode(tiny, TEXTS, tmp_path)
    monkeypatch.setattr(vectors, "DocumentEncoder", None)
    after = vectors.encode(tiny, TEXTS, tmp_path)
    assert list(after) == list(before)
    assert before.seconds
    assert (after.seconds, after.encode_documents_per_s) == (None, None)
    assert list(vectors.encode(tiny, [], tmp_path)) == []


def test_figures_by_hand() -> None:
    documents = [{"a": 1.0}, {"a": 0.5, "b": 2.0}, {"b": 1.0}, {}]
    queries = [{"a": 3.0}, {"c": 1.0, "b": 1.0}]
    found = vectors.figures(iter(documents), iter(queries))
    assert found == {
        "active_dims": 1.0,
        "query_active_dims": 1.5,
        "flops": pytest.approx(1 / 2 * 2 / 4 + 1 / 2 * 2 / 4),
        "longest_posting": 2,
        "longest_posting_token": "b",
    }
    assert vectors.figures([], [])["flops"] == 0


def test_flops_are_the_mean_overlap(tiny: Bundle, tmp_path: Path) -> None:
    found = list(vectors.encode(tiny, TEXTS, tmp_path))
    overlaps = [len(one.keys() & other.keys()) for one in found for other in found]
    assert vectors.figures(found, found)["flops"] == pytest.approx(sum(overlaps) / len(overlaps))
