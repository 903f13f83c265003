"""Whole runs on the sample that ships: what they leave, in the folder and in the cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bench_context import DOCUMENTS, FEW, QUERIES, SAMPLE
from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import benchmark, collection, results, trec
from opensearch_lsr.evaluation.context import names_of
from opensearch_lsr.evaluation.report.write import write
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Scale, Suite

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def whole(client: OpenSearch, suite: Suite, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is done."""
    steps: list[str] = []
    asked = Run(client, suite, tmp_path_factory.mktemp("whole") / "run", cache)
    asked.on_step = steps.append
    benchmark.measure(asked)
    assert "handbook: 64 queries to tokens" in steps
    return asked


def test_relevance(whole: Run) -> None:
    (entry,) = results.load(whole.folder)["collections"]
    assert (entry["documents"], entry["queries"], entry["baseline"]) == (len(DOCUMENTS), len(QUERIES), "bm25")
    bm25, tokens, dense = entry["systems"]
    assert dense["skipped"] == "no dense model was given for it"
    assert bm25["skipped"] is tokens["skipped"] is None
    assert bm25["relevance"]["nDCG@10"] > 0.3  # words differ: the sample is made so
    against = tokens["against_baseline"]["nDCG@10"]
    gap = tokens["relevance"]["nDCG@10"] - bm25["relevance"]["nDCG@10"]
    assert against["difference"] == pytest.approx(gap)
    assert against["wins"] + against["ties"] + against["losses"] == len(QUERIES)
    values = results.load_values(whole.folder)
    for row in (bm25, tokens):
        own = [found["nDCG@10"] for found in values["handbook", row["name"]].values()]
        assert sum(own) / len(own) == pytest.approx(row["relevance"]["nDCG@10"])
        run = trec.read(whole.folder / "runs" / f"handbook.{row['name']}.trec.gz")
        assert run.keys() <= QUERIES.keys()
        assert len(run) + row["unanswered"] == len(QUERIES)
    assert {query["system"] for side in entry["examples"].values() for query in side} == {"tokens"}


def test_cost(whole: Run) -> None:
    (entry,) = whole.results["collections"]
    bm25, tokens, _ = entry["systems"]
    assert tokens["index_bytes"] - bm25["index_bytes"] == tokens["vector_bytes"]
    assert bm25["vector_bytes"] is None
    assert all(row["ingest_documents_per_s"] > 0 for row in (bm25, tokens))
    assert [(mode["mode"], mode["documents"]) for mode in entry["ingest"]] == [
        ("none", len(DOCUMENTS)),
        ("client", len(DOCUMENTS)),
        ("cluster", len(DOCUMENTS)),
    ]
    assert 0 < entry["vectors"]["active_dims"] < 1000


def test_latency(whole: Run) -> None:
    first, second = (one for one in whole.results["latency"] if one["collection"] == "handbook")
    assert (first["track_total_hits"], second["track_total_hits"]) == (True, False)
    assert (first["segments"], first["merged"], first["documents"]) == (1, True, len(DOCUMENTS))
    bm25, tokens = first["systems"]
    assert (bm25["queries"], bm25["errors"]) == (FEW.queries * FEW.rounds, 0)
    assert bm25["ratio"] is None
    mean = tokens["ratio"]["mean"]
    assert mean["low"] <= mean["value"] <= mean["high"]
    assert tokens["ratio"]["p50"]["low"] is None, "six queries are too few"


def test_the_record(whole: Run, tiny: Bundle, client: OpenSearch) -> None:
    about = results.load(whole.folder)["run"]
    assert about["error"] is None
    assert about["started"] <= about["finished"]
    assert about["fingerprints"]["document"] == tiny.config.document_fingerprint
    assert about["settings"]["latency"]["queries"] == 6
    assert about["cluster"]["version"] == client.info()["version"]["number"]
    assert about["cluster"]["nodes"] == 1
    assert about["cluster"]["heap_bytes"] > 2**29
    assert about["index_settings"] == {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    asked_for = client.cluster.get_settings(flat_settings=True)
    assert about["cluster"]["settings"].keys() <= {*asked_for["persistent"], *asked_for["transient"]}
    bm25 = whole.results["collections"][0]["systems"][0]["parameters"]
    assert (bm25["field"], bm25["analyzer"]) == ("body", "english")
    assert any(plugin.startswith("opensearch-ml") for plugin in about["cluster"]["plugins"])


def test_each_collection_is_read_once(small: Run, tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    read = collection.read
    monkeypatch.setattr(collection, "read", lambda one, split: given.append(one) or read(one, split))
    scale = Scale((400,), systems=("bm25",))
    small.suite = replace(small.suite, latency=None, bundle=str(tiny.path), scale=scale, in_domain=("handbook",))
    found = benchmark.measure(small)
    assert given == [str(SAMPLE)]
    assert found["collections"][0]["in_domain"] is True


def test_nothing_is_left_and_the_report_is_written(whole: Run, client: OpenSearch) -> None:
    assert client.indices.get(index=f"{names_of(whole.name)}*") == {}
    page = write(whole.results, whole.folder)[0].read_text(encoding="utf-8")
    assert "handbook" in page
    assert "LSR (tokens)" in page


def test_a_run_that_is_done_is_not_measured_again(whole: Run, suite: Suite) -> None:
    before = (whole.folder / results.FILE).read_bytes()
    steps: list[str] = []
    again = replace(whole, results={}, on_step=steps.append)
    benchmark.measure(again)
    assert steps == ["handbook: is measured"]
    assert (whole.folder / results.FILE).read_bytes() == before
    with pytest.raises(InputError, match=r"holds another run \(settings.latency.rounds was 2, now 3\); go on with"):
        benchmark.measure(replace(whole, suite=replace(whole.suite, latency=replace(FEW, rounds=3))))
    assert (whole.folder / results.FILE).read_bytes() == before


def test_another_corpus_of_the_same_name_is_refused(whole: Run, tmp_path: Path) -> None:
    changed = json.loads(json.dumps(whole.results))
    changed["collections"][0]["fingerprint"] = "another"
    results.save(tmp_path, changed)
    with pytest.raises(InputError, match="handbook: has changed since this run began; choose another output"):
        benchmark.measure(replace(whole, folder=tmp_path, results={}))


def test_bm25_alone_encodes_nothing(small: Run) -> None:
    found = benchmark.measure(replace(small, suite=replace(small.suite, latency=None)))
    (entry,) = found["collections"]
    assert "vectors" not in entry
    assert [mode.get("skipped") for mode in entry["ingest"]] == [None, *["no encoder bundle was given"] * 2]
    assert (found["latency"], found["run"]["fingerprints"]) == ([], {})
    assert not small.cache.exists()


def test_the_baseline_must_be_there(small: Run) -> None:
    asked = replace(small, suite=replace(small.suite, systems=("dense", "bm25")))
    with pytest.raises(InputError, match="dense: the first is the baseline, and it cannot run here: no dense model"):
        benchmark.measure(asked)
