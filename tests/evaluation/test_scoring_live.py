"""What a run keeps of each system's relevance: at which depth it was asked, corrected p values, SEISMIC's proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench_context import QUERIES, SAMPLE
from opensearchpy import OpenSearch
from opensearchpy.exceptions import TransportError

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation import benchmark, relevance, results, trec
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Suite
from opensearch_lsr.evaluation.systems.bm25 import BM25Standard

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def rows(client: OpenSearch, tiny: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The systems of a run without latency; ``folder`` beside."""
    systems = ("bm25", "two-phase", "seismic", "tokens")
    suite = Suite((str(SAMPLE),), systems=systems, bundle=str(tiny.path), latency=None)
    folder = tmp_path_factory.mktemp("scoring") / "run"
    asked = Run(client, suite, folder, tmp_path_factory.getbasetemp() / "vectors")
    (entry,) = benchmark.measure(asked)["collections"]
    return {row["name"]: row for row in entry["systems"]} | {"folder": {"path": folder, **entry}}


def test_the_top_is_scored_as_latency_asks_for_it(rows: dict[str, dict[str, Any]]) -> None:
    assert set(rows["bm25"]["parameters"]["hits"].values()) == {relevance.DEPTH}
    hits = rows["two-phase"]["parameters"]["hits"]
    assert hits == {"nDCG@10": 10, "RR@10": 10, "R@100": 100, "AP@100": 100}
    folder: Path = rows["folder"]["path"]
    kept = {file.name.removeprefix("handbook.").removesuffix(".trec.gz") for file in (folder / "runs").iterdir()}
    assert kept == {"bm25", "two-phase", "two-phase.10-hits", "seismic", "tokens"}
    shallow = trec.read(folder / "runs" / "handbook.two-phase.10-hits.trec.gz")
    assert max(map(len, shallow.values())) == 10


def test_p_is_corrected_for_the_systems_compared(rows: dict[str, dict[str, Any]]) -> None:
    compared = [rows[name]["against_baseline"]["nDCG@10"] for name in ("two-phase", "seismic", "tokens")]
    smallest, middle, largest = sorted(compared, key=lambda one: one["p"])
    assert smallest["p_holm"] == pytest.approx(min(1.0, 3 * smallest["p"]))
    assert middle["p_holm"] == pytest.approx(min(1.0, max(2 * middle["p"], smallest["p_holm"])))
    assert largest["p_holm"] == pytest.approx(max(largest["p"], middle["p_holm"]))


def test_seismic_is_proven_on_a_collection(rows: dict[str, dict[str, Any]]) -> None:
    seismic = rows["seismic"]
    assert seismic["ann"]["proven"], seismic["ann"]
    assert "whole multiples" in seismic["ann"]["how"]
    assert seismic["clipped_weights"] == 0
    assert 0.5 < seismic["overlap@10"] <= 1.0
    assert "ann" not in rows["two-phase"]


def test_examples_are_of_the_first_sparse_system(rows: dict[str, dict[str, Any]]) -> None:
    found = rows["folder"]["examples"]
    assert {query["system"] for side in found.values() for query in side} == {"two-phase"}


def test_a_system_whose_queries_were_not_all_answered_is_asked_again(
    client: OpenSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = Suite((str(SAMPLE),), systems=("bm25", "bm25-standard"), latency=None)
    steps: list[str] = []
    asked = Run(client, suite, tmp_path / "run", tmp_path / "cache", on_step=steps.append)

    def busy(_self: BM25Standard, _text: str) -> str:
        raise TransportError(429, "rejected_execution_exception", {"error": {"reason": "queue is full"}})

    with monkeypatch.context() as patch:
        patch.setattr(relevance, "WAITS", ())
        patch.setattr(BM25Standard, "encode", busy)
        with pytest.raises(
            ClusterError, match="was not answered in 1 attempts .*queue is full.*: it goes on from what"
        ):
            benchmark.measure(asked)
    kept = {row["name"]: row for row in results.load(asked.folder)["collections"][0]["systems"]}
    assert "relevance" in kept["bm25"]
    assert "relevance" not in kept["bm25-standard"]
    steps.clear()
    found = benchmark.measure(Run(client, suite, asked.folder, asked.cache, on_step=steps.append))
    assert [step for step in steps if "queries to" in step] == [f"handbook: {len(QUERIES)} queries to bm25-standard"]
    assert all("relevance" in row for row in found["collections"][0]["systems"])
