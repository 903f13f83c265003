"""All judged queries put to one system: its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from opensearchpy import OpenSearch

from opensearch_lsr.evaluation.asking import ERRORS, Asked, ask, explained, without_retries
from opensearch_lsr.evaluation.trec import Run, ranking

DEPTH = 100  # hits: what R@100 and AP@100 need


@dataclass(frozen=True)
class Collected:
    """What a system found.

    Attributes:
        run: query id → document id → score, a key for every query.
        errors: query id → why it was not answered; in the run it has no hits.
    """

    run: Run
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def unanswered(self) -> int:
        """Queries without hits: each counts zero."""
        return sum(not found for found in self.run.values())


def collect(
    client: OpenSearch,
    system: Asked,
    queries: Mapping[str, str],
    *,
    size: int = DEPTH,
    drop_self: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Collected:
    """Ask a system every query, one after the other.

    Args:
        client: the cluster.
        system: prepared, its index loaded.
        queries: query id → text.
        size: hits of each.
        drop_self: leave out the document whose id is the query's, as BEIR does (ArguAna, Quora); one hit more is asked
            for, so that there are still ``size``.
        on_progress: told (queries done, queries).

    Raises:
        ClusterError: when the cluster stops answering. A query that fails alone is among ``errors``.
    """
    run: dict[str, dict[str, float]] = {}
    errors = {}
    with without_retries(client):
        for number, (query, text) in enumerate(queries.items(), start=1):
            try:
                hits = ask(client, system, text, size + drop_self).hits
            except ERRORS as error:
                errors[query] = explained(client, error)
                hits = []
            kept = [(document, score) for document, score in hits if not (drop_self and document == query)]
            run[query] = dict(kept[:size])
            on_progress(number, len(queries))
    return Collected(run, errors)


def overlap(run: Run, exact: Run, depth: int = 10) -> float:
    """Mean share of the exact top ``depth`` that a run has in its own; queries without exact hits are left out.

    Example: exact d1, d2 and found d2, d3 at depth 2: 0.5.
    """
    shares = []
    for query, scores in exact.items():
        wanted = set(best(scores, depth))
        if wanted:
            shares.append(len(wanted & set(best(run.get(query, {}), depth))) / len(wanted))
    return sum(shares) / len(shares) if shares else 1.0


def best(scores: Mapping[str, float], depth: int) -> list[str]:
    """Ids of the first documents of a ranking."""
    return [document for document, _ in ranking(scores)[:depth]]
