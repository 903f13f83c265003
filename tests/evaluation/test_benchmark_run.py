"""Whole runs on the sample that ships: what they leave, in the folder and in the cluster, however they end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_context import DOCUMENTS, QUERIES, SAMPLE
from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import ClusterError, InputError
from opensearch_lsr.evaluation import benchmark, results, timing, trec
from opensearch_lsr.evaluation.report.write import write
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Latency, Scale, Suite

pytestmark = pytest.mark.cluster
SYSTEMS = ("bm25", "tokens", "dense")  # dense is skipped: no model is given for it
FEW = Latency(queries=6, rounds=2)
Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def snapshot(client: OpenSearch) -> Callable[[], dict[str, Any]]:
    """All that is in the cluster."""
    sys.path.append(str(Path(__file__).parents[1] / "cluster"))
    import state

    return lambda: state.snapshot(client)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "vectors"


@pytest.fixture(scope="module")
def suite(tiny: Bundle) -> Suite:
    return Suite((str(SAMPLE),), systems=SYSTEMS, bundle=str(tiny.path), latency=FEW)


@pytest.fixture(scope="module")
def whole(client: OpenSearch, suite: Suite, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is done, sizes included."""
    scale = Scale((400, 800), systems=SYSTEMS)
    steps: list[str] = []
    asked = Run(client, replace(suite, scale=scale), tmp_path_factory.mktemp("whole") / "run", cache)
    asked.on_step = steps.append
    benchmark.measure(asked)
    assert "handbook: 64 queries to tokens" in steps
    return asked


@pytest.fixture
def start(url: str, tiny: Bundle, cache: Path, tmp_path: Path) -> Start:
    """``start(n, signal, "--cleanup")``: a run in ``tmp_path / "out"`` by the command line, see the script."""
    script = Path(__file__).with_name("stopped_benchmark.py")

    def run(saves: int, signal: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, script, str(saves), signal, "0", "benchmark", "run", str(SAMPLE)]
        command += ["-o", tmp_path / "out", "--cache", cache, "--url", url, "--bundle", tiny.path]
        command += ["--system", "bm25", "--system", "tokens", "--system", "model"]
        command += ["--set", "latency.queries=6", "--set", "latency.rounds=2", *options]
        return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)

    return run


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
    assert tokens["ratio"]["p50"]["low"] <= tokens["ratio"]["p50"]["value"] <= tokens["ratio"]["p50"]["high"]


def test_sizes(whole: Run) -> None:
    for entry, size in zip(whole.results["scale"], (400, 800), strict=True):
        assert (entry["collection"], entry["size"], entry["documents"]) == ("handbook", size, size)
        rows = {row["name"]: row for row in entry["systems"]}
        assert rows["dense"]["skipped"] == "grown documents have vectors of the bundle only"
        assert rows["tokens"]["overlap@10"] == 1.0
        assert rows["tokens"]["documents"] == size
        assert rows["bm25"]["nDCG@10"] > 0.3
        assert rows["tokens"]["ratio"]["p95"]["value"] > 0
        spread = entry["distribution"]["length"]
        assert len(spread["real"]) == len(spread["grown"]) > 0
    assert whole.results["slopes"].keys() == {"bm25", "tokens"}
    timed = {one["collection"] for one in whole.results["latency"]}
    assert timed == {"handbook", "handbook-400", "handbook-800"}


def test_the_record(whole: Run, tiny: Bundle, client: OpenSearch) -> None:
    about = results.load(whole.folder)["run"]
    assert about["error"] is None
    assert about["started"] <= about["finished"]
    assert about["fingerprints"]["document"] == tiny.config.document_fingerprint
    assert about["settings"]["scale"]["sizes"] == [400, 800]
    assert about["cluster"]["version"] == client.info()["version"]["number"]
    assert about["cluster"]["nodes"] == 1
    assert about["cluster"]["heap_bytes"] > 2**29
    assert any(plugin.startswith("opensearch-ml") for plugin in about["cluster"]["plugins"])


def test_nothing_is_left_and_the_report_is_written(whole: Run, client: OpenSearch) -> None:
    assert client.indices.get(index="lsr-bench-*") == {}
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


def test_killed_again_and_again(start: Start, url: str, tmp_path: Path, snapshot: Callable[[], dict[str, Any]]) -> None:
    """After the first system's figures, after all of them, after latency; then to the end."""
    before = snapshot()
    logs = []
    for saves in (2, 3, 4):
        killed = start(saves, "SIGKILL")
        assert killed.returncode == -9, killed.stderr
        logs.append(killed.stderr)
    assert results.load(tmp_path / "out")["run"]["finished"] is None
    assert snapshot() != before
    cleaned = subprocess.run(
        [sys.executable, "-m", "opensearch_lsr.cli", "benchmark", "cleanup", tmp_path / "out", "--url", url],
        capture_output=True,
        text=True,
    )
    assert cleaned.returncode == 0, cleaned.stderr
    assert "removed lsr-bench-out-" in cleaned.stdout
    assert snapshot() == before

    done = start(0, "SIGKILL")
    assert done.returncode == 0, done.stderr
    steps = "".join([*logs, done.stderr]).splitlines()
    once = [step for step in steps if any(part in step for part in ("queries to", "total hits", "indexing"))]
    assert len(once) == len(set(once)) == 3 + 2 + 3, once
    found = results.load(tmp_path / "out")
    assert [row["name"] for row in found["collections"][0]["systems"]] == ["bm25", "tokens", "model"]
    assert len(found["latency"]) == 2
    assert len(found["run"]["resumed"]) == 3
    assert found["run"]["finished"]
    assert snapshot() == before


def test_cancelled_with_cleanup(start: Start, tmp_path: Path, snapshot: Callable[[], dict[str, Any]]) -> None:
    before = snapshot()
    done = start(2, "SIGTERM", "--cleanup")
    assert done.returncode == 1
    found = results.load(tmp_path / "out")
    assert found["run"]["error"] == "interrupted"
    assert "relevance" in found["collections"][0]["systems"][0]
    assert "interrupted" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert snapshot() == before


@pytest.fixture
def small(client: OpenSearch, cache: Path, tmp_path: Path) -> Run:
    """BM25 alone, which opens no bundle."""
    return Run(client, Suite((str(SAMPLE),), systems=("bm25",), latency=FEW), tmp_path / "run", cache / "none")


def test_bm25_alone_encodes_nothing(small: Run) -> None:
    found = benchmark.measure(replace(small, suite=replace(small.suite, latency=None)))
    (entry,) = found["collections"]
    assert "vectors" not in entry
    assert [mode.get("skipped") for mode in entry["ingest"]] == [None, *["no encoder bundle was given"] * 2]
    assert (found["latency"], found["run"]["fingerprints"]) == ([], {})
    assert not small.cache.exists()


def test_any_error_is_recorded_and_none_hidden(small: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any) -> None:
        raise ValueError("two\nlines")

    def refused(*_arguments: Any) -> None:
        raise ClusterError("the cluster is gone, too")

    steps: list[str] = []
    small.on_step = steps.append
    with monkeypatch.context() as patch:
        patch.setattr(timing, "measure", broken)
        patch.setattr(benchmark, "cleanup", refused)
        with pytest.raises(ValueError, match="two"):
            benchmark.measure(small, clean=True)
    assert steps[-1].endswith(
        f"could not be cleaned up (the cluster is gone, too): `opensearch-lsr benchmark cleanup {small.folder}`"
    )
    kept = results.load(small.folder)
    assert kept["run"]["error"] == "ValueError: two lines"
    assert "relevance" in kept["collections"][0]["systems"][0]
    benchmark.measure(replace(small, results={}))
    assert results.load(small.folder)["run"]["error"] is None
    assert small.client.indices.get(index="lsr-bench-*") == {}


def test_the_baseline_must_be_there(small: Run) -> None:
    asked = replace(small, suite=replace(small.suite, systems=("dense", "bm25")))
    with pytest.raises(InputError, match="dense: the first is the baseline, and it cannot run here: no dense model"):
        benchmark.measure(asked)
