"""A whole run against OpenSearch 2.19: what it lacks is skipped with the version needed, all else runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bench_context import DOCUMENTS, SAMPLE
from opensearchpy import OpenSearch
from test_systems_live import Letters

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.evaluation import benchmark
from opensearch_lsr.evaluation.context import DenseModel
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Latency, Suite
from opensearch_lsr.evaluation.systems import SYSTEMS

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
LACKING = {
    "analyzer": "OpenSearch 2.19 lacks the analyzer query mode: upgrade to 3.1 or later, "
    "or take the query mode tokens, which ranks alike",
    "seismic": "OpenSearch 2.19 lacks sparse_vector fields (SEISMIC): upgrade to 3.3 or later, or take the preset fast",
}
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def found(
    client_2_19: OpenSearch, exported: Callable[..., Bundle], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Every system there is, on the sample."""
    folder = tmp_path_factory.mktemp("older")
    suite = Suite((str(SAMPLE),), bi_encoder=str(exported("siamese").path), latency=Latency(queries=4, rounds=1))
    dense = DenseModel("letters", "f" * 64, Letters())
    return benchmark.measure(Run(client_2_19, suite, folder / "run", folder / "cache", dense=dense))


@pytest.fixture(scope="module")
def rows(found: dict[str, Any]) -> Rows:
    (entry,) = found["collections"]
    return {row["name"]: row for row in entry["systems"]}


def test_what_is_skipped_names_the_version_it_needs(rows: Rows) -> None:
    assert list(rows) == list(SYSTEMS)
    assert {name: row["skipped"] for name, row in rows.items() if row["skipped"]} == LACKING


def test_all_else_runs(rows: Rows) -> None:
    for name, row in rows.items():
        if name not in LACKING:
            assert (row["errors"], row["unanswered"]) == ({}, 0), name
            assert row["relevance"]["nDCG@10"] > 0, name


def test_each_system_does_what_it_is_for(rows: Rows) -> None:
    quality = {name: row["relevance"]["nDCG@10"] for name, row in rows.items() if name not in LACKING}
    assert quality["model"] == pytest.approx(quality["tokens"], abs=0.005)
    assert quality["tokens"] > quality["bm25"] > 0.3
    for like_tokens in ("two-phase", "balanced", "fast", "pruned-query"):
        assert quality[like_tokens] == pytest.approx(quality["tokens"], abs=0.05)
    assert quality["hybrid"] not in (quality["bm25"], quality["tokens"])
    assert rows["balanced"]["index_bytes"] < rows["tokens"]["index_bytes"] < rows["fast"]["index_bytes"]


def test_documents_are_encoded_in_each_mode(found: dict[str, Any]) -> None:
    (entry,) = found["collections"]
    modes = [(mode["mode"], mode.get("skipped"), mode["documents"]) for mode in entry["ingest"]]
    assert modes == [(mode, None, len(DOCUMENTS)) for mode in ("none", "client", "cluster")]
    assert all(mode["documents_per_s"] > 0 for mode in entry["ingest"])


def test_it_is_recorded_and_nothing_is_left(found: dict[str, Any], client_2_19: OpenSearch) -> None:
    assert found["run"]["cluster"]["version"] == "2.19.1"
    assert found["run"]["error"] is None
    assert client_2_19.indices.get(index="lsr-bench-*") == {}
