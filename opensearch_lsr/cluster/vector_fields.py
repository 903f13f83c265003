"""What encoding adds to a document, where the client encodes: the vectors, which encoder made them, of which text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opensearch_lsr import rank_feature
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import two_step
from opensearch_lsr.cluster.chunks import CHUNK_VECTOR, CHUNKS_FIELD
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, SHORT_FIELD, TEXT_HASH_FIELD, VECTOR_FIELD
from opensearch_lsr.data.documents import text_hash
from opensearch_lsr.sparse_vector import SparseVector


def of(text: str, vector: SparseVector, target: Deployed, bundle: Bundle) -> dict[str, Any]:
    """The fields of a document.

    Args:
        text: that was encoded; empty when there was none.
        vector: its vector, pruned as the deployment asks; an empty one is left out.
        target: where it goes.
        bundle: the encoder's.
    """
    fields: dict[str, Any] = {}
    if vector:
        fields[VECTOR_FIELD] = rank_feature.short(vector)
        if target.two_step:
            fields[SHORT_FIELD] = rank_feature.short(two_step.short(vector, bundle.named_weights))
    return fields | _marks(text, bool(vector), target)


def of_chunks(text: str, vectors: Sequence[SparseVector], target: Deployed) -> dict[str, Any]:
    """The fields of a document that is encoded chunk by chunk.

    Args:
        text: that was encoded; empty when there was none.
        vectors: of its chunks, as :func:`of` has them; one without tokens keeps its place.
        target: where it goes.
    """
    encoded = any(vectors)
    fields = {CHUNKS_FIELD: [{CHUNK_VECTOR: rank_feature.short(vector)} for vector in vectors]} if encoded else {}
    return fields | _marks(text, encoded, target)


def _marks(text: str, encoded: bool, target: Deployed) -> dict[str, Any]:
    marks = {MODEL_FIELD: target.document_key} if encoded else {}
    return marks | ({TEXT_HASH_FIELD: text_hash(text)} if text and target.keeps_text_hashes else {})
