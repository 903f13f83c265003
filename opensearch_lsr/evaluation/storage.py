"""An index for one or more systems: made, loaded with vectors encoded before, merged, weighed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError, TransportError

from opensearch_lsr.cluster import operations
from opensearch_lsr.cluster.connect import readable_errors
from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation.asking import address, without_retries
from opensearch_lsr.evaluation.context import Context

MERGE_ASKED, MERGE_POLL = 60, 2  # seconds: for the request, and between looks at whether it is done
GATEWAY_TIMEOUT = 504
TEXT = {"title": {"type": "text", "analyzer": "english"}, "text": {"type": "text", "analyzer": "english"}}

EncoderName = Literal["bundle", "bi_encoder", "dense"]
Progress = Callable[[int], None]  # documents so far


class Record(NamedTuple):
    """A document as it is loaded; ``vector`` is of the encoder that the storage names, token → weight or dense."""

    id: str
    title: str
    text: str
    vector: Mapping[str, float] | Sequence[float] | None = None


class Storage(ABC):
    """An index.

    Attributes:
        name: systems whose storages have the same name share one index.
        encoder: whose document vectors its records carry: the context's ``bundle``, ``bi_encoder`` or ``dense``.
    """

    name: ClassVar[str]
    encoder: ClassVar[EncoderName | None] = None

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client: OpenSearch = context.client
        self.index = context.index(self.name)

    @abstractmethod
    def body(self) -> dict[str, Any]:
        """Settings and mappings beside the context's own settings."""

    @abstractmethod
    def source(self, record: Record) -> dict[str, Any]:
        """A record as the index takes it."""

    def notes(self) -> dict[str, Any]:
        """What there is to say of what was loaded."""
        return {}

    def create(self) -> None:
        """Make the index, empty."""
        body = self.body()
        settings = {"index": {**self.context.settings, **body.get("settings", {})}}
        self.client.indices.create(index=self.index, body={**body, "settings": settings})

    def remove(self) -> None:
        """Delete the index, where there is one."""
        self.client.indices.delete(index=self.index, ignore=404)


def build(storage: Storage, records: Iterable[Record], on_progress: Progress = lambda done: None) -> dict[str, Any]:
    """Make the index anew and load it; what an earlier run left of it is removed first.

    Args:
        storage: which.
        records: all of its documents; a generator is never held in memory.
        on_progress: told the number of documents after each bulk request.

    Returns:
        ``documents``; ``ingest_documents_per_s``, one bulk request at a time, until they can be searched, merging left
        out; ``merge_s``; ``segments``; ``index_bytes`` of the primary shards, ``_source`` included; and the storage's
        own notes.

    Raises:
        ClusterError: when a document is refused, or the cluster stops answering.
    """
    client, index = storage.client, storage.index
    with readable_errors(address(client)):
        storage.remove()
        storage.create()
        started = time.perf_counter()
        documents = _load(storage, records, on_progress)
        client.indices.refresh(index=index, request_timeout=600)
        loaded = time.perf_counter()
        if storage.context.merged:
            _merge(client, index)
        merged = time.perf_counter()
        found = client.count(index=index)["count"]
        if found != documents:
            raise ClusterError(f"{index}: {documents:,} documents were sent and {found:,} are there; are ids unique?")
        return {
            "documents": documents,
            "ingest_documents_per_s": documents / (loaded - started),
            "merge_s": merged - loaded if storage.context.merged else None,
            "segments": segments(client, index),
            "index_bytes": size(client, index),
            **storage.notes(),
        }


def size(client: OpenSearch, index: str) -> int:
    """Bytes of the primary shards on disk, after a flush."""
    client.indices.flush(index=index, wait_if_ongoing=True, request_timeout=600)
    stats = client.indices.stats(index=index, metric="store")
    return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])


def segments(client: OpenSearch, index: str) -> int:
    """Segments that are searched."""
    stats = client.indices.stats(index=index, metric="segments")
    return int(stats["_all"]["primaries"]["segments"]["count"])


def _load(storage: Storage, records: Iterable[Record], on_progress: Progress) -> int:
    def actions() -> Iterator[dict[str, Any]]:
        for record in records:
            yield {"_index": storage.index, "_id": record.id, "_source": storage.source(record)}

    done = 0
    for ok, outcome in operations.perform(storage.client, actions()):
        if not ok:
            reason = operations.why(outcome.get("error"))
            raise ClusterError(f"{storage.index}: document {outcome.get('_id')!r} was refused: {reason}")
        done += 1
        if done % operations.AT_ONCE == 0:
            on_progress(done)
    on_progress(done)
    return done


def _merge(client: OpenSearch, index: str) -> None:
    """Merge to one segment, however long that takes: a million documents minutes, SEISMIC's clusters longer.

    Proxies end a connection on which nothing is said for a minute or so, and the merge goes on all the same; it is then
    waited for in the list of tasks. Asked for as a background task it would leave the index ``.tasks`` behind.
    """
    try:
        with without_retries(client):
            client.indices.forcemerge(index=index, max_num_segments=1, request_timeout=MERGE_ASKED)
    except TransportError as error:
        if not isinstance(error, ConnectionError) and error.status_code != GATEWAY_TIMEOUT:
            raise
        _await_merge(client, index)
    client.indices.refresh(index=index, request_timeout=600)
    if (left := segments(client, index)) > 1:
        raise ClusterError(f"{index}: has {left} segments after merging, not one; see the cluster's log")


def _await_merge(client: OpenSearch, index: str) -> None:
    merging = True
    while merging:
        time.sleep(MERGE_POLL)  # first of all: a task is not listed at once
        found = client.tasks.list(params={"actions": "*forcemerge*", "detailed": "true", "group_by": "none"})
        merging = any(f"[{index}]" in task.get("description", "") for task in found["tasks"])
