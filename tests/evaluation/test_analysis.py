"""Queries that gained and lost, with the tokens that did it."""

from __future__ import annotations

import pytest

from opensearch_lsr.evaluation import analysis
from opensearch_lsr.evaluation.analysis import Searched, Source

VECTORS = {"d1": {"tap": 0.5, "leak": 1.0, "kitchen": 0.2}, "d2": {"car": 1.0}, "d3": {}}
SOURCE = Source(
    queries={"q1": "kitchen tap", "q2": "car", "q3": "nothing", "q4": "tap"},
    qrels={"q1": {"d1": 1}, "q2": {"d1": 1}, "q4": {"d1": 0}},
    document=lambda identifier: (f"title of {identifier}", f"text of {identifier}"),
    query_vector=lambda text: dict.fromkeys(text.split(), 2.0),
    document_vector=VECTORS.__getitem__,
)
SYSTEM = Searched(
    "tokens",
    {"q1": {"d1": 3.0, "d2": 1.0}, "q2": {"d2": 2.0}, "q3": {}, "q4": {"d3": 1.0}},
    {"q1": 1.0, "q2": 0.0, "q3": 0.0, "q4": 0.4},
)
BASELINE = Searched(
    "bm25", {"q1": {"d2": 1.0}, "q2": {"d1": 1.0}, "q4": {"d1": 1.0}}, {"q1": 0.0, "q2": 1.0, "q3": 0.5, "q4": 0.4}
)


def test_gained_and_lost_largest_difference_first() -> None:
    found = analysis.examples(SYSTEM, BASELINE, SOURCE)
    assert [(query["id"], query["difference"]) for query in found["gained"]] == [("q1", 1.0)]
    assert [(query["id"], query["difference"]) for query in found["lost"]] == [("q2", -1.0), ("q3", -0.5)]
    assert [query["id"] for query in analysis.examples(SYSTEM, BASELINE, SOURCE, count=1)["lost"]] == ["q2"]


def test_documents_and_matched_tokens() -> None:
    (gained,) = analysis.examples(SYSTEM, BASELINE, SOURCE)["gained"]
    assert gained["document"] == {"id": "d1", "title": "title of d1", "text": "text of d1", "relevant": True}
    assert gained["baseline_document"]["id"] == "d2"
    assert gained["baseline_document"]["relevant"] is False
    assert gained["tokens"] == [
        {"token": "tap", "query_weight": 2.0, "document_weight": 0.5, "score": 1.0},
        {"token": "kitchen", "query_weight": 2.0, "document_weight": 0.2, "score": pytest.approx(0.4)},
    ]


def test_a_query_without_hits_has_no_document_and_no_tokens() -> None:
    lost = analysis.examples(SYSTEM, BASELINE, SOURCE)["lost"][1]
    assert (lost["document"], lost["baseline_document"], lost["tokens"]) == (None, None, [])
