"""Where a system gained and lost most against the baseline, and which tokens did it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opensearch_lsr.cluster.explain import contributions
from opensearch_lsr.evaluation.relevance import best
from opensearch_lsr.evaluation.trec import Run
from opensearch_lsr.sparse_vector import SparseVector

Text = tuple[str, str]  # title, text


@dataclass(frozen=True)
class Searched:
    """One system's run and its values of one measure."""

    name: str
    run: Run
    values: Mapping[str, float]


@dataclass(frozen=True)
class Source:
    """What the runs are about.

    Attributes:
        queries: query id → text.
        qrels: query id → document id → grade.
        document: document id → (title, text).
        query_vector: text → token weights.
        document_vector: document id → token weights.
        readable: token → its text, where vectors have ids.
    """

    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    document: Callable[[str], Text]
    query_vector: Callable[[str], SparseVector]
    document_vector: Callable[[str], Mapping[str, float]]
    readable: Callable[[str], str] = str


def examples(system: Searched, baseline: Searched, source: Source, count: int = 5) -> dict[str, list[dict[str, Any]]]:
    """The queries with the largest differences, either way.

    Args:
        system: a learned sparse system.
        baseline: what it is compared with.
        source: texts, judgments and vectors.
        count: queries at most for each list; those without a difference are in none.

    Returns:
        ``gained`` and ``lost``, the largest difference first. Each query has ``id``, ``text``, ``system``,
        ``difference``, ``value``, ``baseline_value``, ``document`` and ``baseline_document`` (the first of each run, or
        None: ``id``, ``title``, ``text``, ``relevant``), and ``tokens``: what the query shares with ``document``, the
        largest ``score`` = ``query_weight`` · ``document_weight`` first.
    """
    differences = {query: value - baseline.values.get(query, 0.0) for query, value in system.values.items()}
    ordered = sorted(differences, key=lambda query: (-differences[query], query))
    gained = [query for query in ordered if differences[query] > 0][:count]
    lost = [query for query in reversed(ordered) if differences[query] < 0][:count]

    def described(query: str) -> dict[str, Any]:
        first = best(system.run.get(query, {}), 1)
        return {
            "id": query,
            "text": source.queries[query],
            "system": system.name,
            "difference": differences[query],
            "value": system.values[query],
            "baseline_value": baseline.values.get(query, 0.0),
            "document": _document(first, query, source),
            "baseline_document": _document(best(baseline.run.get(query, {}), 1), query, source),
            "tokens": _tokens(query, first, source),
        }

    return {"gained": [described(query) for query in gained], "lost": [described(query) for query in lost]}


def _tokens(query: str, first: list[str], source: Source) -> list[dict[str, Any]]:
    if not first:
        return []
    vectors = source.query_vector(source.queries[query]), source.document_vector(first[0])
    return [
        {
            "token": one.text,
            "query_weight": one.query_weight,
            "document_weight": one.document_weight,
            "score": one.score,
        }
        for one in contributions(*vectors, source.readable)
    ]


def _document(first: list[str], query: str, source: Source) -> dict[str, Any] | None:
    if not first:
        return None
    title, text = source.document(first[0])
    relevant = source.qrels.get(query, {}).get(first[0], 0) > 0
    return {"id": first[0], "title": title, "text": text, "relevant": relevant}
