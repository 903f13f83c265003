"""Runs that are killed, cancelled or fail: what they had measured is kept, and what they made is cleaned up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_context import SAMPLE
from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation import benchmark, results, timing
from opensearch_lsr.evaluation.context import names_of
from opensearch_lsr.evaluation.run import Run

pytestmark = pytest.mark.cluster
Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def snapshot(client: OpenSearch) -> Callable[[], dict[str, Any]]:
    """All that is in the cluster."""
    sys.path.append(str(Path(__file__).parents[1] / "cluster"))
    import state

    return lambda: state.snapshot(client)


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


def test_any_error_is_recorded_and_none_hidden(small: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: Any) -> None:
        raise ClusterError("the cluster is gone, too")

    steps: list[str] = []
    small.on_step = steps.append
    with monkeypatch.context() as patch:

        def broken(*_arguments: Any) -> None:
            patch.setattr(benchmark, "cleanup", refused)
            raise ValueError("two\nlines")

        patch.setattr(timing, "measure", broken)
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
    assert small.client.indices.get(index=f"{names_of(small.name)}*") == {}
