"""What ingest costs in each encoding mode, by the product's own deployment and loading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from opensearch_lsr.cluster import bulk, preflight, status
from opensearch_lsr.cluster.connect import readable_errors
from opensearch_lsr.cluster.deploy import deploy
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.data.documents import TITLED, Document, Reject
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import ClusterError, InputError
from opensearch_lsr.evaluation.asking import address
from opensearch_lsr.evaluation.context import Context, owned
from opensearch_lsr.evaluation.storage import TEXT, Record
from opensearch_lsr.evaluation.systems.bm25 import EnglishText
from opensearch_lsr.sparse_vector import SparseVector

MODES = ("none", "client", "cluster")
REPEATS, CHEAP = 3, 10  # the median of so many, where one takes at most so many seconds


class UnencodedText(EnglishText):
    """The text-only index once more, so that measuring it leaves the one that is searched alone."""

    name = "ingest-none"


class NoVectors:
    """In an encoder's place: the loader then does for plain text what it does for encoded text."""

    bundle = None  # of no use: there is nothing to shorten

    def encode_stream(self, texts: Iterable[str]) -> Iterator[tuple[SparseVector, bool]]:
        """No weights, nothing truncated."""
        return (({}, False) for _ in texts)


def ingest(context: Context, documents: Sequence[Record], mode: str) -> dict[str, Any]:
    """Index documents in one mode, by the product's loader with its threads, and take them away again.

    Args:
        context: whose bundle encodes.
        documents: a sample: encoding takes tens of milliseconds a document.
        mode: ``none`` (text only: what BM25 needs), ``client`` (onnxruntime here) or ``cluster`` (ML Commons).

    Returns:
        ``mode``, ``documents``, ``repeats`` and ``documents_per_s`` until they can be searched, the median of the
        repeats (None with the reason in ``skipped`` where the mode is not possible).

    Raises:
        ClusterError: when a document is refused, or the cluster stops answering.
    """
    if mode not in MODES:
        raise InputError(f"ingest mode {mode!r}: it is one of {', '.join(MODES)}")
    result: dict[str, Any] = {"mode": mode, "documents": len(documents), "documents_per_s": None}
    with readable_errors(address(context.client)):
        if mode != "none" and (why := _impossible(context, mode)):
            return result | {"skipped": why}
        seconds: list[float] = []
        while len(seconds) < REPEATS and (not seconds or seconds[0] <= CHEAP):
            with _place(context, mode) as (target, encoder):
                seconds.append(_load(context, target, documents, encoder))
    return result | {"repeats": len(seconds), "documents_per_s": len(documents) / median(seconds)}


def _impossible(context: Context, mode: str) -> str | None:
    if context.bundle is None:
        return "no encoder bundle was given"
    try:
        needs = Deployment(context.bundle, context.index(f"ingest-{mode}"), TITLED, encode=mode).needs
    except InputError as error:
        return str(error)
    return preflight.lacks(context.client, needs)


@contextmanager
def _place(context: Context, mode: str) -> Iterator[tuple[Deployed, Any]]:
    """An empty index of a mode and what encodes for it here; taken away afterwards."""
    if mode == "none" or context.bundle is None:
        storage = UnencodedText(context)
        storage.remove()
        storage.create()
        try:
            yield Deployed(storage.index, storage.index, {"fields": TITLED, "document_fingerprint": ""}), NoVectors()
        finally:
            storage.remove()
        return
    bundle, alias = owned(context.bundle, context.run), context.index(f"ingest-{mode}")
    mapping = {"settings": context.settings, "mappings": {"properties": TEXT}}
    encoder = DocumentEncoder(bundle) if mode == "client" else None
    target = deploy(context.client, bundle, alias=alias, fields=TITLED, encode=mode, mapping=mapping)
    try:
        yield target, encoder
    finally:
        status.undeploy(context.client, alias)


def _load(context: Context, target: Deployed, documents: Iterable[Record], encoder: Any) -> float:
    """Seconds until all can be searched."""
    refused: list[Reject] = []
    plain = (Document(one.id, {"title": one.title, "text": one.text}, one.id) for one in documents)
    report = bulk.load(context.client, target, plain, encoder, on_reject=refused.append)
    if refused:
        raise ClusterError(f"{target.alias}: {len(refused):,} documents were refused, the first: {refused[0]}")
    return report.seconds


def vector_bytes(index_bytes: int, text_only_bytes: int) -> int:
    """Bytes that vectors add: an index with text and vectors less one of the same documents with text alone.

    What the vectors take in ``_source`` is included; that the text is one field here and two there is in the noise.
    """
    return index_bytes - text_only_bytes
