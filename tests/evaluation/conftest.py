"""Fixtures for runs on the sample that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_context import FEW, SAMPLE
from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Suite


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where vectors are kept for the whole session."""
    return tmp_path_factory.getbasetemp() / "vectors"


@pytest.fixture(scope="session")
def suite(tiny: Bundle) -> Suite:
    """Two systems that run; dense is skipped, as no model is given for it."""
    return Suite((str(SAMPLE),), systems=("bm25", "tokens", "dense"), bundle=str(tiny.path), latency=FEW)


@pytest.fixture
def small(client: OpenSearch, tmp_path: Path) -> Run:
    """BM25 alone, which opens no bundle."""
    return Run(client, Suite((str(SAMPLE),), systems=("bm25",), latency=FEW), tmp_path / "run", tmp_path / "cache")
