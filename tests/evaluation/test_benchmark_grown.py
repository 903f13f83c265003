"""Runs with grown sizes: what is measured at each, and whether there is room for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_context import SAMPLE
from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation import benchmark, collection, growth, measures, results, room, scaling, trec
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Scale, Suite
from opensearch_lsr.evaluation.vectors import encode

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def grown(client: OpenSearch, suite: Suite, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with two sizes."""
    scale = Scale((400, 800), systems=(*suite.systems, "hybrid", "seismic"))
    asked = Run(client, replace(suite, scale=scale), tmp_path_factory.mktemp("grown") / "run", cache)
    benchmark.measure(asked)
    return asked


def test_sizes(grown: Run) -> None:
    qrels = collection.read(SAMPLE).qrels
    for entry, size in zip(grown.results["scale"], (400, 800), strict=True):
        assert (entry["collection"], entry["size"], entry["documents"]) == ("handbook", size, size)
        rows = {row["name"]: row for row in entry["systems"]}
        assert rows["dense"]["skipped"] == "grown documents have vectors of the bundle only"
        assert rows["tokens"]["overlap@10"] == 1.0
        assert rows["tokens"]["documents"] == size
        assert rows["bm25"]["nDCG@10"] > 0.3
        assert rows["hybrid"]["nDCG@10"] > 0.1  # half of it an untrained encoder
        assert [name for name, row in rows.items() if "overlap@10" in row] == ["tokens", "seismic"]
        assert rows["seismic"]["clipped_weights"] == 0
        assert entry["baseline"] == "bm25"
        for name in ("bm25", "tokens", "hybrid"):
            run = trec.read(grown.folder / "runs" / f"handbook-{size}.{name}.trec.gz")
            assert measures.mean(measures.by_query(qrels, run))["nDCG@10"] == pytest.approx(rows[name]["nDCG@10"])
        assert rows["tokens"]["ratio"]["p95"]["value"] > 0
        spread = entry["distribution"]["length"]
        assert len(spread["real"]) == len(spread["grown"]) > 0
    assert grown.results["slopes"].keys() == {"bm25", "tokens", "hybrid", "seismic"}
    timed = {one["collection"] for one in grown.results["latency"]}
    assert timed == {"handbook", "handbook-400", "handbook-800"}
    assert {one["baseline"] for one in grown.results["latency"]} == {"bm25"}


def test_seismic_has_room_for_the_weights_of_all_that_grows(grown: Run, tiny: Bundle, cache: Path) -> None:
    """A part alone may weigh a token more than its document does."""
    found = collection.read(SAMPLE)
    parts = growth.cut(found.documents, found.judged)
    largest = [
        encode(tiny, texts, cache).largest_weight
        for texts in ([one.whole for one in found.documents], [part.document.whole for part in parts])
    ]
    for entry in grown.results["scale"]:
        (seismic,) = [row for row in entry["systems"] if row["name"] == "seismic"]
        assert max(largest) <= seismic["parameters"]["quantization_ceiling_ingest"] < max(largest) + 0.002


def test_room_is_asked_for_before_a_size_is_built(
    small: Run, tiny: Bundle, monkeypatch: pytest.MonkeyPatch, client: OpenSearch
) -> None:
    """What the first size would take is told from the collection as it is."""
    left = room.free(client)
    assert left is not None
    assert left > 2**20
    monkeypatch.setattr(room, "free", lambda client: 1000)
    scale = Scale((400,), systems=("bm25",))
    small.suite = replace(small.suite, latency=None, bundle=str(tiny.path), scale=scale)
    with pytest.raises(ClusterError, match="handbook-400: its indices need about"):
        benchmark.measure(small, clean=True)
    assert results.load(small.folder)["scale"] == [{"collection": "handbook", "size": 400}]


def test_what_a_killed_run_left_takes_no_room_and_neither_do_systems_left_out(
    small: Run, tiny: Bundle, monkeypatch: pytest.MonkeyPatch, client: OpenSearch
) -> None:
    def broken(*_arguments: Any) -> None:
        raise ValueError("killed")

    scale = Scale((400,), systems=("bm25", "dense"))
    small.suite = replace(small.suite, latency=None, bundle=str(tiny.path), scale=scale)
    with monkeypatch.context() as patch:
        patch.setattr(scaling, "_quality", broken)
        with pytest.raises(ValueError, match="killed"):
            benchmark.measure(small)
    (left,) = client.indices.get(index="lsr-bench-*")
    assert left.endswith("handbook-400.text-english")
    kept = results.load(small.folder)
    kept["collections"][0]["systems"].append({"name": "dense", "documents": 1, "index_bytes": 10**12})
    results.save(small.folder, kept)

    there: list[list[str]] = []

    def looked(client: OpenSearch) -> int:
        there.append(list(client.indices.get(index="lsr-bench-*")))
        return 10**9

    monkeypatch.setattr(room, "free", looked)
    found = benchmark.measure(replace(small, results={}))
    assert there == [[]]
    assert found["scale"][0]["complete"] is True
