"""What ingest costs in each encoding mode, by the product's own deployment and loading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from opensearch_lsr.cluster import bulk, preflight, status
from opensearch_lsr.cluster.connect import readable_errors
from opensearch_lsr.cluster.deployment import Deployment, deploy
from opensearch_lsr.data.documents import TITLED, Document, Reject
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import ClusterError, InputError
from opensearch_lsr.evaluation.asking import address
from opensearch_lsr.evaluation.context import Context, owned
from opensearch_lsr.evaluation.storage import TEXT, Record, build
from opensearch_lsr.evaluation.systems.bm25 import EnglishText

MODES = ("none", "client", "cluster")


class UnencodedText(EnglishText):
    """The text-only index once more, so that measuring it leaves the one that is searched alone."""

    name = "ingest-none"


def ingest(context: Context, documents: Sequence[Record], mode: str) -> dict[str, Any]:
    """Index documents in one mode and take them away again.

    Args:
        context: whose bundle encodes.
        documents: a sample: encoding takes tens of milliseconds a document.
        mode: ``none`` (text only: what BM25 needs), ``client`` (onnxruntime here) or ``cluster`` (ML Commons).

    Returns:
        ``mode``, ``documents`` and ``documents_per_s`` until they can be searched (None with the reason in ``skipped``
        where the mode is not possible).

    Raises:
        ClusterError: when a document is refused, or the cluster stops answering.
    """
    if mode not in MODES:
        raise InputError(f"ingest mode {mode!r}: it is one of {', '.join(MODES)}")
    with readable_errors(address(context.client)):
        if mode == "none":
            return _unencoded(context, documents)
        return _encoded(context, documents, mode)


def _unencoded(context: Context, documents: Sequence[Record]) -> dict[str, Any]:
    storage = UnencodedText(context)
    try:
        rate = build(storage, documents)["ingest_documents_per_s"]
    finally:
        storage.remove()
    return {"mode": "none", "documents": len(documents), "documents_per_s": rate}


def _encoded(context: Context, documents: Sequence[Record], mode: str) -> dict[str, Any]:
    result: dict[str, Any] = {"mode": mode, "documents": len(documents), "documents_per_s": None}
    if context.bundle is None:
        return result | {"skipped": "no encoder bundle was given"}
    bundle, alias = owned(context.bundle, context.run), context.index(f"ingest-{mode}")
    mapping = {"settings": context.settings, "mappings": {"properties": TEXT}}
    try:
        findings = preflight.check(context.client, Deployment(bundle, alias, TITLED, encode=mode).needs)
    except InputError as error:
        return result | {"skipped": str(error)}
    if findings:
        return result | {"skipped": ". ".join(map(str, findings))}
    encoder = DocumentEncoder(bundle) if mode == "client" else None
    target = deploy(context.client, bundle, alias=alias, fields=TITLED, encode=mode, mapping=mapping)
    refused: list[Reject] = []
    try:
        report = bulk.load(context.client, target, _plain(documents), encoder, on_reject=refused.append)
    finally:
        status.undeploy(context.client, alias)
    if refused:
        raise ClusterError(f"{alias}: {len(refused):,} documents were refused, the first: {refused[0]}")
    return result | {"documents_per_s": report.indexed / report.seconds}


def _plain(documents: Iterable[Record]) -> Iterable[Document]:
    for record in documents:
        yield Document(record.id, {"title": record.title, "text": record.text}, record.id)


def vector_bytes(index_bytes: int, text_only_bytes: int) -> int:
    """Bytes that vectors add: an index with text and vectors less one of the same documents with text alone.

    What the vectors take in ``_source`` is included; that the text is one field here and two there is in the noise.
    """
    return index_bytes - text_only_bytes
