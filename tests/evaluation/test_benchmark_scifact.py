"""BM25 on the real SciFact scores what others publish for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr.evaluation import benchmark
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Suite

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_bm25_english(client: OpenSearch, collection: Callable[[str], Path], tmp_path: Path) -> None:
    """.679 in Anserini (BEIR, flat), .690 in OpenSearch's own figures."""
    suite = Suite((str(collection("scifact")),), systems=("bm25",), latency=None)
    found = benchmark.measure(Run(client, suite, tmp_path / "run", tmp_path / "cache"))
    (entry,) = found["collections"]
    assert (entry["documents"], entry["queries"], entry["judgments"]) == (5183, 300, 339)
    (bm25,) = entry["systems"]
    assert 0.66 <= bm25["relevance"]["nDCG@10"] <= 0.70
    assert bm25["errors"] == {}
