"""Loading documents: encoded here or by the ingest pipeline, every one of them indexed or rejected with a reason."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from opensearchpy import OpenSearch, helpers

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import vector_fields
from opensearch_lsr.cluster.deployment import Deployed
from opensearch_lsr.data.documents import Document, Reject, text_of
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.sparse_vector import SparseVector
from opensearch_lsr.timings import Timings

THREADS = 2  # bulk requests under way at once
CLIENT_BATCH, CLUSTER_BATCH = 512, 32  # documents a bulk request; the cluster encodes one by one, so it gets few
RETRIES = 8  # on 429, with doubling waits
Pair = tuple[Document, dict[str, Any]]  # a document and its bulk action


@dataclass
class Report:
    """What became of a load: ``read == indexed + rejected``. ``seconds`` is wall time, ``timings`` where it went."""

    read: int = 0
    indexed: int = 0
    rejected: int = 0
    without_vector: int = 0
    truncated: int = 0
    seconds: float = 0.0
    timings: Timings = field(default_factory=Timings)


def document_encoder(target: Deployed, bundle: str) -> DocumentEncoder:
    """The local encoder for an index; see :func:`fitting_bundle` for what is raised."""
    return DocumentEncoder(fitting_bundle(target, bundle))


def fitting_bundle(target: Deployed, bundle: str) -> Bundle:
    """A bundle for an index, refused when it is another one than the index's vectors came from.

    Raises:
        DeploymentError: when the fingerprints differ.
    """
    opened = Bundle.open(bundle)
    opened.verify()
    if opened.config.document_fingerprint != target.meta["document_fingerprint"]:
        raise DeploymentError(
            f"{target.alias}: its vectors are of encoder {target.meta['name']} ({target.document_key}), the bundle is "
            f"{opened.config.name} ({opened.document_key}); give that bundle with --bundle, or deploy this one"
        )
    return opened


def load(
    client: OpenSearch,
    target: Deployed,
    documents: Iterable[Document | Reject],
    encoder: DocumentEncoder | None,
    on_progress: Callable[[Report], None] = lambda report: None,
    on_reject: Callable[[Reject], None] = lambda reject: None,
    only_alias: bool = False,
) -> Report:
    """Index documents, replacing those with the same id.

    Args:
        client: the cluster.
        target: what the alias serves.
        documents: such as those of :func:`opensearch_lsr.data.documents.read`.
        encoder: encodes here; None leaves it to the index's ingest pipeline.
        on_progress: called after each bulk request.
        on_reject: called at once for each document that is not indexed, with its reason.
        only_alias: refuse documents when the target's index is not the name of an alias (any more).

    Returns:
        The counts. A document that a newer version is there of counts as indexed.
    """
    report, started = Report(), time.monotonic()
    accepted = _accepted(report.timings.each("reading documents", documents), report, on_reject)
    actions = _encoded(accepted, target, encoder, report) if encoder else _plain(accepted, target, report)
    # closed whatever happens: the encoder would go on with what it has begun
    with closing(actions), ThreadPoolExecutor(THREADS) as pool:
        under_way: list[Future[tuple[int, list[Reject]]]] = []
        while batch := list(islice(actions, CLIENT_BATCH if encoder else CLUSTER_BATCH)):
            if len(under_way) == THREADS:
                _collect(under_way.pop(0), report, started, on_progress, on_reject)
            under_way.append(pool.submit(_send, client, batch, only_alias))
        for future in under_way:
            _collect(future, report, started, on_progress, on_reject)
    with report.timings.part("refresh"):
        client.indices.refresh(index=target.index)
    report.seconds = time.monotonic() - started
    return report


def _accepted(
    documents: Iterable[Document | Reject], report: Report, on_reject: Callable[[Reject], None]
) -> Iterator[Document]:
    """The documents; the rejects among them are counted on the way."""
    for document in documents:
        report.read += 1
        if isinstance(document, Reject):
            report.rejected += 1
            on_reject(document)
        else:
            yield document


def _plain(documents: Iterable[Document], target: Deployed, report: Report) -> Generator[Pair]:
    for document in documents:
        report.without_vector += not text_of(document.source, target.fields)
        yield document, _action(document, target.index)


def _encoded(
    documents: Iterable[Document], target: Deployed, encoder: DocumentEncoder, report: Report
) -> Generator[Pair]:
    for document, text, vector, truncated in report.timings.each("encoding", _vectors(documents, target, encoder)):
        report.truncated += truncated
        if target.prune:
            vector = target.prune(vector)
        report.without_vector += not vector
        extra = vector_fields.of(text, vector, target, encoder.bundle)
        # the default pipeline, where there is one, would encode again
        yield document, _action(document, target.index, extra) | {"pipeline": "_none"}


def _vectors(
    documents: Iterable[Document], target: Deployed, encoder: DocumentEncoder
) -> Iterator[tuple[Document, str, SparseVector, bool]]:
    """Each document with its text and vector, in order; one without text has an empty one."""
    waiting: deque[tuple[Document, str]] = deque()

    def texts() -> Iterator[str]:
        for document in documents:
            waiting.append((document, text_of(document.source, target.fields)))
            yield waiting[-1][1]

    for vector, truncated in encoder.encode_stream(texts()):
        document, text = waiting.popleft()
        yield document, text, vector if text else {}, truncated


def _action(document: Document, index: str, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    action: dict[str, Any] = {
        "_op_type": "index",
        "_index": index,
        "_id": document.id,
        "_source": document.source | (extra or {}),
    }
    if document.version is not None:
        action |= {"version": document.version, "version_type": "external_gte"}
    return action if document.routing is None else action | {"routing": document.routing}


def _send(client: OpenSearch, batch: list[Pair], only_alias: bool) -> tuple[int, list[Reject]]:
    """One bulk request, repeated for documents that got a 429; returns how many went in and those refused for good."""
    outcomes = helpers.streaming_bulk(
        client,
        [action for _, action in batch],
        chunk_size=len(batch),
        max_chunk_bytes=8 * 1024 * 1024,  # hosted clusters refuse requests above 10 MiB
        max_retries=RETRIES,
        initial_backoff=1,
        max_backoff=30,
        raise_on_error=False,
        request_timeout=600,
        require_alias=only_alias,
    )
    by_id = {document.id: document for document, _ in batch}
    refused = []
    for ok, item in outcomes:
        if not ok:
            outcome = next(iter(item.values()))
            document = by_id[outcome["_id"]]
            if outcome["status"] == 409 and document.version is not None:  # a newer one is there
                continue
            raw = json.dumps({"_id": document.id, **document.source}, ensure_ascii=False)
            refused.append(Reject(document.origin, _why(outcome.get("error", {})), raw))
    return len(batch) - len(refused), refused


def _why(error: Any) -> str:
    """The outermost reason, which names the field, and the innermost, which names the value."""
    reasons = []
    while isinstance(error, dict):
        reasons.append(str(error.get("reason")))
        error = error.get("caused_by")
    parts = dict.fromkeys([*reasons[:1], *reasons[-1:]]) or {str(error): None}
    return f"refused by the cluster: {' '.join(': '.join(parts).split())[:400]}"


def _collect(
    future: Future[tuple[int, list[Reject]]],
    report: Report,
    started: float,
    on_progress: Callable[[Report], None],
    on_reject: Callable[[Reject], None],
) -> None:
    with report.timings.part("waiting for the cluster"):
        indexed, refused = future.result()
    report.indexed += indexed
    report.rejected += len(refused)
    for reject in refused:
        on_reject(reject)
    report.seconds = time.monotonic() - started
    on_progress(report)
