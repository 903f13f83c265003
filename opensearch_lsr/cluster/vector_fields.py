"""What encoding adds to a document, where the client encodes: the vectors, which encoder made them, of which text."""

from __future__ import annotations

from typing import Any

from opensearch_lsr import rank_feature
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import two_step
from opensearch_lsr.cluster.deployment import MODEL_FIELD, SHORT_FIELD, TEXT_HASH_FIELD, VECTOR_FIELD, Deployed
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
            fields[SHORT_FIELD] = rank_feature.short(two_step.short(vector, bundle.weights))
        fields[MODEL_FIELD] = target.document_key
    if text and target.keeps_text_hashes:
        fields[TEXT_HASH_FIELD] = text_hash(text)
    return fields
