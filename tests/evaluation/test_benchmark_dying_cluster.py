"""A cluster that dies midway ends a run with one clear line, and with what it had."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench_context import SAMPLE

from opensearch_lsr.evaluation import results
from opensearch_lsr.local.node import Node
from opensearch_lsr.local.node_info import NodeInfo

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def doomed() -> Iterator[NodeInfo]:
    node = Node(f"tests-doomed-{os.getpid()}")
    node.stop(wipe=True)
    try:
        yield node.start(heap="1g")
    finally:
        node.stop(wipe=True)


def test_a_cluster_that_dies_midway(doomed: NodeInfo, tmp_path: Path) -> None:
    script = Path(__file__).with_name("stopped_benchmark.py")
    done = subprocess.run(
        [
            *(sys.executable, str(script), "2", "SIGKILL", str(doomed.pid)),  # when the first system's figures are kept
            *("benchmark", "run", str(SAMPLE), "-o", str(tmp_path), "--url", doomed.url),
            *("--system", "bm25", "--system", "bm25-standard", "--cleanup"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line == done.stderr.splitlines()[-1]
    assert "the cluster stopped answering" in line
    assert "Traceback" not in done.stderr
    found = results.load(tmp_path)
    assert found["run"]["error"] == line.removeprefix("error: ")
    assert found["run"]["finished"] is None
    first, second = found["collections"][0]["systems"]
    assert first["relevance"]["nDCG@10"] > 0.3  # words differ: the sample is made so
    assert "relevance" not in second
    assert "the cluster stopped answering" in (tmp_path / "report.html").read_text(encoding="utf-8")
