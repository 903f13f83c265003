"""One query put to one system: the hits, and how long each part of it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError, OpenSearchException

from opensearch_lsr.cluster.connect import reason
from opensearch_lsr.cluster.transport import patience
from opensearch_lsr.errors import ClusterError, LSRError

ERRORS = (OpenSearchException, LSRError)  # of one query; they are counted


class Asked(Protocol):
    """The part of a system that a query needs."""

    @property
    def index(self) -> str: ...

    def encode(self, text: str) -> Any: ...

    def request(self, encoded: Any, size: int, track_total_hits: bool) -> tuple[dict[str, str], dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered query, times in ms.

    Attributes:
        hits: (document id, score), best first.
        encode_ms: text → what the request needs: the client's own part.
        request_ms: building the request, sending it, reading the answer.
        took_ms: what the cluster says it took; whole milliseconds.
    """

    hits: list[tuple[str, float]]
    encode_ms: float
    request_ms: float
    took_ms: float


def ask(client: OpenSearch, system: Asked, text: str, size: int, track_total_hits: bool = True) -> Answer:
    """Encode a text and search for it.

    Raises:
        ClusterError: when only a part of the shards answered, or not in time.
        OpenSearchException: for everything else that went wrong between here and the cluster.
    """
    started = perf_counter()
    encoded = system.encode(text)
    ready = perf_counter()
    params, body = system.request(encoded, size, track_total_hits)
    answer = client.search(index=system.index, body=body, params=params)
    done = perf_counter()
    if answer["timed_out"] or answer["_shards"]["failed"]:
        failures = answer["_shards"].get("failures", [{}])
        raise ClusterError(f"{system.index}: not all shards answered: {str(failures[0].get('reason', ''))[:300]}")
    hits = [(hit["_id"], float(hit["_score"] or 0.0)) for hit in answer["hits"]["hits"]]
    return Answer(hits, (ready - started) * 1e3, (done - ready) * 1e3, float(answer["took"]))


def explained(client: OpenSearch, error: Exception) -> str:
    """Why one query failed, in one line.

    Raises:
        ClusterError: when it failed because the cluster is gone, and so would all the others.
    """
    if isinstance(error, ConnectionError) and not client.ping():  # a timeout is one of those, too
        raise ClusterError(
            f"{address(client)}: the cluster stopped answering; see its log, then run the benchmark again: "
            "it goes on from what was measured"
        ) from error
    return reason(error)


@contextmanager
def without_retries(client: OpenSearch) -> Iterator[None]:
    """A request that had to be repeated is an error here, not a slow success."""
    with patience(client, 0):
        yield


def address(client: OpenSearch) -> str:
    """``host:port`` of the cluster, for messages."""
    hosts: Any = client.transport.hosts
    return ", ".join(f"{host['host']}:{host.get('port', 9200)}" for host in hosts)
