"""What falls short of limits; a gate that has nothing to check does not open."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_lsr.evaluation.gate import Limits, gate
from opensearch_lsr.evaluation.results import empty


def timing(hits: str = "default", value: float = 1.3, **other: Any) -> dict[str, Any]:
    ratio = {key: {"value": value, "low": value - 0.1, "high": value + 0.1} for key in ("p50", "p95", "p99")}
    system = {"name": "tokens", "ratio": ratio, "errors": 0}
    return {"collection": "taps", "mode": "closed", "clients": 1, "track_total_hits": hits, "systems": [system]} | other


def a_run() -> dict[str, Any]:
    against = {"nDCG@10": {"difference": 0.125, "low": -0.01, "high": 0.26}}
    systems = [
        {"name": "bm25", "relevance": {"nDCG@10": 0.5}},
        {"name": "tokens", "relevance": {"nDCG@10": 0.625}, "against_baseline": against, "errors": {}},
        {"name": "seismic", "skipped": "needs OpenSearch 3.3"},
    ]
    return empty({"name": "a", "error": None, "finished": "2026-11-23T11:40:02+00:00"}) | {
        "collections": [{"name": "taps", "baseline": "bm25", "systems": systems, "complete": True}],
        "latency": [timing(), timing("false", 1.6), timing(mode="open", value=9.0), timing(clients=4, value=9.0)],
    }


@pytest.mark.parametrize(
    "limits",
    [
        Limits(),
        Limits(min_ndcg=0.625, min_gain=0.125, max_p50_ratio=1.6, max_p95_ratio=1.6, max_p99_ratio=1.6),
        Limits(min_ndcg=0.0, min_gain=-1.0),
    ],
)
def test_what_holds(limits: Limits) -> None:
    assert gate(a_run(), limits) == []


@pytest.mark.parametrize(
    ("limits", "failure"),
    [
        (Limits(min_ndcg=0.63), "taps, tokens: nDCG@10 0.6250 is below 0.63"),
        (Limits(min_gain=0.2), "taps, tokens: nDCG@10 gain 0.1250 [-0.0100, +0.2600] is below 0.2"),
        (
            Limits(max_p95_ratio=1.5),
            "taps, tokens: p95 ratio 1.60 [1.50, 1.70] (track_total_hits false) is above 1.5",
        ),
        (Limits(max_p50_ratio=1.5), "taps, tokens: p50 ratio 1.60 [1.50, 1.70] (track_total_hits false) is above 1.5"),
        (Limits(max_p99_ratio=1.5), "taps, tokens: p99 ratio 1.60 [1.50, 1.70] (track_total_hits false) is above 1.5"),
    ],
)
def test_what_falls_short(limits: Limits, failure: str) -> None:
    assert gate(a_run(), limits) == [failure]


def test_every_failure_is_named() -> None:
    found = gate(a_run(), Limits(min_ndcg=0.9, max_p95_ratio=1.0))
    assert [line.split(" is ")[0].split(": ")[1].split()[0] for line in found] == ["nDCG@10", "p95", "p95"]


def test_systems_and_collections_by_name() -> None:
    assert gate(a_run(), Limits(min_ndcg=0.6), systems=["bm25"]) == ["taps, bm25: nDCG@10 0.5000 is below 0.6"]
    assert gate(a_run(), Limits(min_ndcg=0.1), systems=["tokens"], collections=["taps"]) == []
    assert gate(a_run(), Limits(min_ndcg=0.1), systems=["seismic", "dense"]) == [
        "taps, seismic: not measured (needs OpenSearch 3.3)",
        "taps, dense: not measured (not in the results)",
    ]
    assert gate(a_run(), Limits(), collections=["tax"]) == ["tax: no such collection in the results"]


def test_what_was_not_measured_does_not_hold() -> None:
    run = a_run() | {"latency": [timing(mode="open"), timing(clients=4)]}
    run["collections"][0]["systems"][1] |= {"relevance": None, "against_baseline": None}
    assert gate(run, Limits(min_ndcg=0.1, min_gain=0.1, max_p95_ratio=9.0)) == [
        "taps, tokens: nDCG@10 is not in the results",
        "taps, tokens: nDCG@10 gain is not in the results",
        "taps, tokens: p95 ratio (closed loop, one client) is not in the results",
    ]
    nothing = empty({"name": "a", "finished": "2026-11-23T11:40:02+00:00"})
    assert gate(nothing, Limits()) == ["nothing to check: the results have no system but the baseline"]


def test_one_ratio_of_two_is_not_enough() -> None:
    run = a_run()
    run["latency"][1]["systems"][0]["ratio"]["p99"]["value"] = None  # too few queries for it
    assert gate(run, Limits(max_p50_ratio=2.0)) == []
    assert gate(run, Limits(max_p99_ratio=2.0)) == [
        "taps, tokens: p99 ratio (track_total_hits false) is not in the results"
    ]


def test_a_run_that_ended_early_does_not_pass() -> None:
    run = a_run()
    run["run"] |= {"error": "the cluster is gone", "finished": None}
    assert gate(run, Limits()) == ["the run ended early: the cluster is gone"]
    run["run"] |= {"error": None}  # killed
    assert gate(run, Limits()) == ["the run has not finished"]


def test_a_collection_that_was_left_halfway_does_not_pass() -> None:
    run = a_run()
    run["collections"].append({"name": "tax"})
    assert gate(run, Limits()) == ["tax: was not measured to its end"]
    assert gate(run, Limits(), collections=["taps"]) == []


def test_queries_that_failed_do_not_pass() -> None:
    run = a_run()
    run["collections"][0]["systems"][1]["errors"] = {"q3": "timed out", "q4": "timed out"}
    run["latency"][0]["systems"][0] |= {"errors": 3, "error_reasons": {"refused": 3}}
    run["latency"][3]["systems"][0] |= {"errors": 1}
    run["latency"].append(timing(collection="taps-1000") | {"systems": [{"name": "tokens", "errors": 9}]})
    assert gate(run, Limits()) == [
        "taps, tokens: judged queries that failed: 2, the first: timed out",
        "taps, tokens: timed queries that failed: 4, most often: refused",
    ]
    assert gate(run, Limits(), systems=["bm25"]) == []


def test_a_baseline_that_failed_makes_nobody_better() -> None:
    run = a_run()
    run["collections"][0]["systems"][0]["errors"] = {"q3": "timed out"}
    run["latency"][0]["systems"].append({"name": "bm25", "errors": 2, "error_reasons": {"refused": 2}})
    failures = [
        "taps, bm25: judged queries that failed: 1, the first: timed out",
        "taps, bm25: timed queries that failed: 2, most often: refused",
    ]
    for systems in ([], ["tokens"], ["bm25"]):
        assert gate(run, Limits(min_gain=0.1), systems=systems)[:2] == failures
    assert gate(run, Limits(min_gain=0.1)) == failures
