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
from typing import TYPE_CHECKING, Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import chunks, operations, vector_fields
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.data.documents import Document, Reject, text_of
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.sparse_vector import SparseVector
from opensearch_lsr.timings import Timings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

THREADS = 2  # bulk requests under way at once
# documents a bulk request; the cluster encodes one by one, so it gets few
CLIENT_BATCH, CLUSTER_BATCH = operations.AT_ONCE, 32
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
    counts: Tokenizer | None = None,
    timings: Timings | None = None,
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
        counts: the encoder's tokenizer, with its truncation, to count what the ingest pipeline will truncate.
        timings: to go on with, of what was done before.

    Returns:
        The counts. A document that a newer version is there of counts as indexed.

    Raises:
        ClusterError: when the cluster refuses documents for a reason that passes, and it does not; what was indexed
            stays, and documents replace themselves when they are loaded again.
    """
    report, started = Report(timings=timings or Timings()), time.monotonic()
    accepted = _accepted(report.timings.each("reading documents", documents), report, on_reject)
    actions = _encoded(accepted, target, encoder, report) if encoder else _plain(accepted, target, report, counts)
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


def _plain(
    documents: Iterable[Document], target: Deployed, report: Report, counts: Tokenizer | None
) -> Generator[Pair]:
    for document in documents:
        text = text_of(document.source, target.fields)
        report.without_vector += not text
        if counts and not target.chunk:
            with report.timings.part("counting tokens"):
                report.truncated += bool(counts.encode(text.encode("utf-8", "replace").decode()).overflowing)
        yield document, _action(document, target.index)


def _encoded(
    documents: Iterable[Document], target: Deployed, encoder: DocumentEncoder, report: Report
) -> Generator[Pair]:
    for document, text, vectors, truncated in report.timings.each("encoding", _vectors(documents, target, encoder)):
        report.truncated += truncated
        kept = [target.prune(vector) for vector in vectors] if target.prune else vectors
        report.without_vector += not any(kept)
        if target.chunk:
            extra = vector_fields.of_chunks(text, kept, target)
        else:
            extra = vector_fields.of(text, kept[0], target, encoder.bundle)
        # the default pipeline, where there is one, would encode again
        yield document, _action(document, target.index, extra) | {"pipeline": "_none"}


def _vectors(
    documents: Iterable[Document], target: Deployed, encoder: DocumentEncoder
) -> Iterator[tuple[Document, str, list[SparseVector], bool]]:
    """Each document with its text and the vectors of its chunks, or its one, in order; without text that is empty."""
    waiting: deque[tuple[Document, str, list[str]]] = deque()

    def texts() -> Iterator[str]:
        for document in documents:
            text = text_of(document.source, target.fields)
            parts = chunks.split(text, target.chunk) if target.chunk else ([text] if text else [])
            waiting.append((document, text, parts))
            yield from parts or [""]

    vectors: list[SparseVector] = []
    cut = False
    for vector, truncated in encoder.encode_stream(texts()):
        document, text, parts = waiting[0]
        vectors.append(vector if parts else {})
        cut |= truncated
        if len(vectors) >= len(parts):
            waiting.popleft()
            yield document, text, vectors, cut
            vectors, cut = [], False


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
    """One bulk request; returns how many documents went in, and those refused for good."""
    by_id = {document.id: document for document, _ in batch}
    refused = []
    for done, outcome in operations.perform(client, (action for _, action in batch), only_alias):
        if not done:
            document = by_id[outcome["_id"]]
            if outcome["status"] == 409 and document.version is not None:  # a newer one is there
                continue
            raw = json.dumps({"_id": document.id, **document.source}, ensure_ascii=False)
            why = operations.why(outcome.get("error", {}))
            refused.append(Reject(document.origin, f"refused by the cluster: {why}", raw))
    return len(batch) - len(refused), refused


def _collect(
    future: Future[tuple[int, list[Reject]]],
    report: Report,
    started: float,
    on_progress: Callable[[Report], None],
    on_reject: Callable[[Reject], None],
) -> None:
    with report.timings.part("sending, waiting for the cluster"):
        indexed, refused = future.result()
    report.indexed += indexed
    report.rejected += len(refused)
    for reject in refused:
        on_reject(reject)
    report.seconds = time.monotonic() - started
    on_progress(report)
