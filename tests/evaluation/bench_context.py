"""The sample corpus as a benchmark's context, for tests on a live cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.data import beir, documents
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.storage import Record, build
from opensearch_lsr.evaluation.suite import Latency
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.evaluation.systems.system import System
from opensearch_lsr.evaluation.vectors import SparseVectors, encode

SAMPLE = Path(documents.__file__).parents[1] / "samples" / "handbook"
DOCUMENTS = list(documents.read_titled(SAMPLE))
QUERIES = beir.read_queries(SAMPLE)
FEW = Latency(queries=6, rounds=2)
TEXTS = [documents.text_of({"title": title, "text": text}, documents.TITLED) for _, title, text in DOCUMENTS]


def sample_context(client: OpenSearch, run: str, bundle: Bundle, cache: Path, **others: Any) -> Context:
    """A context whose largest weight is the sample's."""
    largest = sample_vectors(bundle, cache).largest_weight
    given: dict[str, Any] = {"documents": len(DOCUMENTS), "bundle": bundle, "largest_weight": largest}
    return Context(client, run, "handbook", **(given | others))


def sample_vectors(bundle: Bundle, cache: Path) -> SparseVectors:
    """Encoded once for a test session's cache."""
    return encode(bundle, TEXTS, cache)


def records(vectors: Any = None) -> Iterator[Record]:
    """The sample with vectors, or without."""
    for document, vector in zip(DOCUMENTS, vectors or [None] * len(DOCUMENTS), strict=True):
        yield Record(*document, vector)


def ready(context: Context, name: str, vectors: Any = None) -> System:
    """A system, its index built and it prepared."""
    system = SYSTEMS[name](context)
    build(system.storage, records(vectors))
    system.prepare()
    return system
