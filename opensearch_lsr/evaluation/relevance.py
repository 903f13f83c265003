"""All judged queries put to one system: its run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError, TransportError

from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation.asking import ERRORS, Answer, Asked, ask, explained, without_retries
from opensearch_lsr.evaluation.trec import Run, ranking

DEPTH = 100  # hits: what R@100 and AP@100 need
WAITS = (1, 2, 4, 8, 16)  # seconds, before a query is sent again
BUSY = (429, 502, 503, 504)  # queues that are full, circuit breakers, shards that are not there just now


@dataclass(frozen=True)
class Collected:
    """What a system found.

    Attributes:
        run: query id → document id → score, a key for every query.
        errors: query id → why the system refuses it, whenever it is asked; in the run it has no hits.
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
        ClusterError: when the cluster stops answering, or does not get to a query. One that it refuses is among
            ``errors``.
    """
    run: dict[str, dict[str, float]] = {}
    errors = {}
    with without_retries(client):
        for number, (query, text) in enumerate(queries.items(), start=1):
            answer = _patiently(client, system, query, text, size + drop_self)
            if isinstance(answer, str):
                errors[query] = answer
            hits = [] if isinstance(answer, str) else answer.hits
            kept = [(document, score) for document, score in hits if not (drop_self and document == query)]
            run[query] = dict(kept[:size])
            on_progress(number, len(queries))
    return Collected(run, errors)


def _patiently(client: OpenSearch, system: Asked, query: str, text: str, size: int) -> Answer | str:
    """The answer, or why there will never be one; time does not matter here."""
    why = ""
    for wait in (0, *WAITS):
        time.sleep(wait)
        try:
            return ask(client, system, text, size)
        except ERRORS as error:
            why = explained(client, error)
            if not _passes(error):
                return why
    raise ClusterError(
        f"{system.index}: query {query} was not answered in {1 + len(WAITS)} attempts ({why}), which says nothing of "
        "its relevance; run the benchmark again when the cluster is less busy: it goes on from what was measured"
    )


def _passes(error: Exception) -> bool:
    """Whether the same query may well be answered later: a part of the shards did not, or the cluster is busy."""
    if isinstance(error, TransportError):
        return isinstance(error, ConnectionError) or error.status_code in BUSY
    return type(error) is ClusterError  # of :func:`ask`; a DeploymentError is one, too, and stays


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
