"""Two runs side by side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opensearch_lsr.evaluation.compare import Row, circumstances, compare
from opensearch_lsr.evaluation.measures import Values
from opensearch_lsr.evaluation.results import empty


def a_run() -> dict[str, Any]:
    run = {"name": "a", "cluster": {"version": "3.6.0", "nodes": 1}, "machine": {"cpu": "x", "cores": 2}}
    bm25 = {"name": "bm25", "relevance": {"nDCG@10": 0.5}, "index_bytes": 2000, "ingest_documents_per_s": 100.0}
    timing = {"collection": "taps", "mode": "closed", "clients": 1, "track_total_hits": "default"}
    timed = {"name": "tokens", "total_ms": {"p50": 2.0, "p90": 3.0}, "ratio": {"p50": {"value": 1.5, "low": 1.4}}}
    found = empty(run | {"fingerprints": {"document": "d"}}) | {
        "collections": [
            {"name": "taps", "documents": 10, "systems": [bm25, {"name": "seismic", "skipped": "too old"}]},
        ],
        "latency": [
            timing | {"systems": [timed]},
            timing | {"track_total_hits": "false", "systems": [timed]},
            timing | {"clients": 4, "systems": [timed]},
            timing | {"mode": "open", "rate": 50.0, "systems": [timed]},
        ],
        "scale": [{"collection": "taps", "size": 10_000, "systems": [timed | {"nDCG@10": 0.25, "overlap@10": 1.0}]}],
        "slopes": {"tokens": {"ms_per_million": 9.0, "ratio_to_baseline": 1.5}},
    }
    return json.loads(json.dumps(found))  # nothing shared between its parts


def test_every_figure_is_a_row() -> None:
    one, other = a_run(), a_run()
    other["collections"][0]["systems"][0]["relevance"]["nDCG@10"] = 0.25
    other["latency"][0]["systems"][0]["ratio"]["p50"]["value"] = 1.25
    assert compare(one, other) == [
        Row("taps", "bm25", "nDCG@10", 0.5, 0.25, -0.25),
        Row("taps", "bm25", "bytes/document", 200.0, 200.0, 0.0),
        Row("taps", "bm25", "documents/s", 100.0, 100.0, 0.0),
        Row("taps", "tokens", "p50 ms, 1 client", 2.0, 2.0, 0.0),
        Row("taps", "tokens", "p50 ratio, 1 client", 1.5, 1.25, -0.25),
        Row("taps", "tokens", "p50 ms, 1 client, hits not counted", 2.0, 2.0, 0.0),
        Row("taps", "tokens", "p50 ratio, 1 client, hits not counted", 1.5, 1.5, 0.0),
        Row("taps", "tokens", "p50 ms, 4 clients", 2.0, 2.0, 0.0),
        Row("taps", "tokens", "p50 ratio, 4 clients", 1.5, 1.5, 0.0),
        Row("taps", "tokens", "p50 ms, 50/s", 2.0, 2.0, 0.0),
        Row("taps", "tokens", "p50 ratio, 50/s", 1.5, 1.5, 0.0),
        Row("taps at 10,000", "tokens", "nDCG@10", 0.25, 0.25, 0.0),
        Row("taps at 10,000", "tokens", "overlap@10", 1.0, 1.0, 0.0),
        Row("taps at 10,000", "tokens", "p50 ms", 2.0, 2.0, 0.0),
        Row("taps at 10,000", "tokens", "p50 ratio", 1.5, 1.5, 0.0),
        Row("", "tokens", "ms/million documents", 9.0, 9.0, 0.0),
        Row("", "tokens", "slope ratio", 1.5, 1.5, 0.0),
    ]


def test_what_only_one_run_has_is_shown() -> None:
    one, other = a_run(), a_run()
    one["collections"][0]["systems"][0]["relevance"]["nDCG@10"] = None
    other["collections"].append({"name": "tax", "systems": [{"name": "bm25", "relevance": {"nDCG@10": 0.0}}]})
    rows = {row[:3]: row[3:6] for row in compare(one, other)}
    assert rows["taps", "bm25", "nDCG@10"] == (None, 0.5, None)
    assert rows["tax", "bm25", "nDCG@10"] == (None, 0.0, None)
    assert compare(one, empty({"name": "nothing yet"}))[0] == Row("taps", "bm25", "bytes/document", 200.0, None, None)


def test_runs_under_other_circumstances() -> None:
    one, other = a_run(), a_run()
    assert circumstances(one, other) == []
    other["run"]["cluster"]["version"] = "2.19.1"
    other["run"]["machine"] = None
    other["collections"][0]["documents"] = 12
    other["collections"].append({"name": "tax", "documents": 3})
    assert circumstances(one, other) == [
        "cluster version: 3.6.0 / 2.19.1",
        "machine cpu: x / None",
        "machine cores: 2 / None",
        "taps documents: 10 / 12",
    ]


def test_runs_made_otherwise() -> None:
    one, other = a_run(), a_run()
    given = {"seed": 1, "latency": {"rounds": 5, "merge": True}, "bundle": "anywhere"}
    one["run"] |= {"settings": given, "versions": {"numpy": "2.0", "scipy": "1.0"}, "index_settings": {"shards": 1}}
    changed = {"seed": 2, "latency": {"rounds": 3, "merge": True}, "bundle": "elsewhere"}
    other["run"] |= {"settings": changed, "versions": {"numpy": "2.1", "scipy": "1.0"}, "index_settings": {"shards": 2}}
    other["run"]["cluster"]["settings"] = {"search.concurrent": "all"}
    one["collections"][0]["fingerprint"], other["collections"][0]["fingerprint"] = "abc", "def"
    one["latency"][2] |= {"merged": True, "size": 10}
    other["latency"][2] |= {"merged": False, "size": 100}
    other["latency"][3] |= {"rate": 60.0, "size": 7}  # another measurement
    assert circumstances(one, other) == [
        "cluster settings: None / {'search.concurrent': 'all'}",
        "index_settings shards: 1 / 2",
        "versions numpy: 2.0 / 2.1",
        "settings seed: 1 / 2",
        "settings latency rounds: 5 / 3",
        "taps fingerprint: abc / def",
        "taps, 4 clients: size: 10 / 100",
        "taps, 4 clients: merged: True / False",
    ]


def test_a_difference_by_query_has_an_interval_and_p() -> None:
    pytest.importorskip("scipy")
    one, other = a_run(), a_run()
    other["collections"][0]["systems"][0]["relevance"]["nDCG@10"] = 0.75
    before = {f"q{n}": {"nDCG@10": n % 2 / 1} for n in range(40)}
    after = {query: {"nDCG@10": 0.5 + found["nDCG@10"] / 2} for query, found in before.items()}

    def row(a: Values, b: Values) -> Row:
        rows = compare(one, other, ({("taps", "bm25"): a}, {("taps", "bm25"): b}))
        assert all(row.p is None for row in rows[1:]), "nothing else is kept by query"
        return rows[0]

    found = row(before, after)
    assert (found.a, found.b, found.difference) == (0.5, 0.75, 0.25)
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.25 < found.high < 0.4
    assert found.p is not None
    assert found.p < 0.01
    assert row(before, {"q1": {"nDCG@10": 1.0}})[-3:] == (None, None, None), "other queries"
