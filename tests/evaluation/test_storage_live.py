"""Indices of a benchmark: built anew, weighed, refused documents named, all of a run removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench_context import DOCUMENTS, records, sample_context, sample_vectors
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import models, operations, query_side
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.plan import Plan
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.cluster.transport import PATIENCE, patience_of
from opensearch_lsr.data.documents import TITLED
from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation import costs, storage
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.context import Context, owned
from opensearch_lsr.evaluation.storage import Record, build, segments
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.evaluation.systems.bm25 import EnglishText
from opensearch_lsr.evaluation.systems.sparse import SparseIndex

pytestmark = pytest.mark.cluster
RUN = "storages"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "tiny-vectors"


@pytest.fixture
def context(client: OpenSearch, tiny: Bundle, cache: Path) -> Iterator[Context]:
    yield sample_context(client, RUN, tiny, cache)
    cleanup(client, RUN)


def names(client: OpenSearch) -> list[str]:
    found = client.indices.get(index="*", expand_wildcards="all")
    return sorted(name for name in found if not name.startswith((".", "top_queries")))


def test_an_index_is_built_anew_and_weighed(context: Context, tiny: Bundle, cache: Path) -> None:
    client, seen = context.client, list[int]()
    text, sparse = EnglishText(context), SparseIndex(context)
    build(text, list(records())[:50])  # what a killed run left
    built = build(text, records(), seen.append)
    assert built["documents"] == client.count(index=text.index)["count"] == len(DOCUMENTS)
    assert seen[-1] == len(DOCUMENTS)
    assert built["segments"] == segments(client, text.index) == 1
    assert built["ingest_documents_per_s"] > 0
    heavier = build(sparse, records(sample_vectors(tiny, cache)))
    stats = client.indices.stats(index=text.index, metric="store")["_all"]["primaries"]["store"]["size_in_bytes"]
    assert built["index_bytes"] == stats
    assert costs.vector_bytes(heavier["index_bytes"], built["index_bytes"]) > 1000
    settings = [client.indices.get_settings(index=one.index) for one in (text, sparse)]
    shown = [next(iter(one.values()))["settings"]["index"] for one in settings]
    for setting in ("number_of_shards", "number_of_replicas", "refresh_interval"):
        assert shown[0][setting] == shown[1][setting]


def test_a_merge_outlives_its_request(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "AT_ONCE", 20)  # more segments to merge
    monkeypatch.setattr(storage, "MERGE_ASKED", 0.001)
    monkeypatch.setattr(storage, "MERGE_POLL", 0.5)
    text = EnglishText(context)
    assert build(text, records())["merge_s"] > 0.5
    assert segments(context.client, text.index) == 1
    assert patience_of(context.client) == PATIENCE  # as before
    monkeypatch.setattr(storage, "segments", lambda client, index: 2)
    with pytest.raises(ClusterError, match="has 2 segments after merging, not one"):
        build(text, records())


def test_refused_and_repeated_documents_are_errors(context: Context) -> None:
    sparse = SparseIndex(context)
    with pytest.raises(ClusterError, match="document 'd2' was refused"):
        build(sparse, [Record("d1", "", "a", {"tap": 1.0}), Record("d2", "", "b", {"tap": -1.0})])
    with pytest.raises(ClusterError, match="2 documents were sent and 1 are there; are ids unique"):
        build(EnglishText(context), [Record("d1", "", "a"), Record("d1", "", "b")])


def test_a_cluster_that_is_gone_is_one_line(context: Context) -> None:
    with pytest.raises(ClusterError, match="localhost:1: cannot be reached") as raised:
        build(EnglishText(replace(context, client=connect("http://localhost:1"))), records())
    assert "\n" not in str(raised.value)


def test_cleanup_takes_all_of_one_run_and_nothing_else(context: Context, tiny: Bundle, cache: Path) -> None:
    client, before = context.client, names(context.client)
    other = sample_context(client, f"{RUN}-2", tiny, cache)
    try:
        build(EnglishText(other), records())
        build(EnglishText(context), records())
        build(SparseIndex(context), records(sample_vectors(tiny, cache)))
        SYSTEMS["model"](context).prepare()
        removed = cleanup(client, RUN)
        assert any(name.startswith(f"lsr-bench-{RUN}.") and "-query-" in name for name in removed)
        assert names(client) == sorted([*before, EnglishText(other).index])
        assert cleanup(client, RUN) == []
        assert cleanup(client, f"{RUN}-2", "another") == []
        assert cleanup(client, f"{RUN}-2", "handbook") == [EnglishText(other).index]
    finally:
        cleanup(client, f"{RUN}-2")


def test_cleanup_after_a_deployment_killed_anywhere(context: Context, tiny: Bundle) -> None:
    client, before = context.client, names(context.client)
    wish = Deployment(owned(tiny, RUN), context.index("model"), TITLED, encode="client", query_mode="model")
    for steps in range(1, 7):
        for number, (one, _) in enumerate(Plan(client, wish).pending()):
            if number == steps:
                break
            one.apply()
        assert cleanup(client, RUN)
        assert names(client) == before
        assert models.find(client, wish.query_model_name) == []
        pipelines = client.transport.perform_request("GET", "/_search/pipeline", params={"ignore": 404})
        assert not any(RUN in name for name in pipelines)


def test_an_application_keeps_its_table(context: Context, tiny: Bundle, cache: Path, alias: str) -> None:
    build(SparseIndex(context), records(sample_vectors(tiny, cache)))
    deploy(context.client, tiny, alias=alias, fields=TITLED, encode="client")
    cleanup(context.client, RUN)
    assert query_side.is_stored(context.client, tiny.config.query_fingerprint)
    undeploy(context.client, alias)
    assert not query_side.is_stored(context.client, tiny.config.query_fingerprint)


def test_a_runs_bundle_has_a_name_of_its_own(tiny: Bundle) -> None:
    mine = owned(tiny, "Nightly 7")
    assert mine.config.name == f"bench-nightly-7.{tiny.config.name}"
    assert mine.config.document_fingerprint == tiny.config.document_fingerprint


@pytest.mark.parametrize("mode", costs.MODES)
def test_ingest_in_each_mode_leaves_nothing(context: Context, mode: str) -> None:
    before = names(context.client)
    found = costs.ingest(context, list(records())[:30], mode)
    assert (found["mode"], found["documents"]) == (mode, 30)
    assert found["documents_per_s"] > 0
    assert found["repeats"] in (1, costs.REPEATS)
    assert names(context.client) == before


def test_ingest_that_is_not_possible_says_why(context: Context) -> None:
    found = costs.ingest(replace(context, bundle=None), list(records())[:3], "client")
    assert (found["documents_per_s"], found["skipped"]) == (None, "no encoder bundle was given")
