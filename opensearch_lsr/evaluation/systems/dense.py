"""Dense retrieval: a ``knn_vector`` field searched by HNSW, its vectors from a bi-encoder (the teacher, say).

The engine is always named, and is ``lucene``: ``faiss`` needs native libraries, and where they are missing, as in the
embedded OpenSearch, creating such an index or writing to it ends the node (an UnsatisfiedLinkError).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from opensearch_lsr.cluster import preflight
from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.evaluation.blocks import Blocks, blocks
from opensearch_lsr.evaluation.context import Context, DenseModel
from opensearch_lsr.evaluation.storage import TEXT, EncoderName, Record, Storage
from opensearch_lsr.evaluation.systems.system import DEEPEST, System

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DENSE_FIELD = "dense_vector"
SPACES = {"cosine": "cosinesimil", "dot": "innerproduct"}  # sentence-transformers' names → the plugin's
HNSW = {"m": 16, "ef_construction": 100}


class DenseIndex(Storage):
    """The text fields and ``knn_vector``."""

    name = "dense"
    encoder: ClassVar[EncoderName | None] = "dense"

    @property
    def method(self) -> dict[str, Any]:
        """HNSW, by the similarity the model was trained for.

        Raises:
            InputError: for a model that compares by neither cosine nor dot product.
        """
        dense = _given(self.context)
        similarity = dense.model.similarity_fn_name
        if similarity not in SPACES:
            raise InputError(f"{dense.name}: compares by {similarity}; the dense system takes cosine or dot")
        return {"name": "hnsw", "engine": "lucene", "space_type": SPACES[similarity], "parameters": HNSW}

    def body(self) -> dict[str, Any]:
        width = _given(self.context).model.get_embedding_dimension()
        vector = {"type": "knn_vector", "dimension": width, "method": self.method}
        return {"settings": {"knn": True}, "mappings": {"properties": {**TEXT, DENSE_FIELD: vector}}}

    def source(self, record: Record) -> dict[str, Any]:
        vector: Any = record.vector
        return {"title": record.title, "text": record.text, DENSE_FIELD: [float(value) for value in vector]}


class Dense(System):
    """The query encoded here by the model, then its nearest neighbours."""

    name = "dense"
    title = "Dense (k-NN)"

    def __init__(self, context: Context) -> None:
        self._index = DenseIndex(context)
        super().__init__(context, self._index)

    @property
    def parameters(self) -> dict[str, Any]:
        dense = _given(self.context)
        return {"model": dense.name, "fingerprint": dense.fingerprint, **self._index.method, "k": DEEPEST}

    def missing(self) -> str | None:
        if self.context.dense is None:
            return "no dense model was given for it"
        return preflight.lacks(self.client, {Feature.DENSE})

    def encode(self, text: str) -> list[float]:
        vector: list[float] = _given(self.context).model.encode_query(text, show_progress_bar=False).tolist()
        return vector

    def query(self, encoded: list[float], size: int) -> dict[str, Any]:
        return {"knn": {DENSE_FIELD: {"vector": encoded, "k": max(size, DEEPEST)}}}


def encode_documents(
    dense: DenseModel,
    texts: Sequence[str],
    cache: Path,
    on_progress: Callable[[int, int], None] = lambda n, total: None,
) -> NDArray[np.float32]:
    """Vectors of documents, from the cache where they are there.

    Args:
        dense: the model.
        texts: title and text of each document.
        cache: folder that runs share.
        on_progress: told (documents done, documents).

    Returns:
        float32 [documents, width].
    """
    with needs_extra("eval", "dense vectors"):
        import numpy as np

    def encode(part: Sequence[str]) -> Blocks:
        return {"vectors": np.asarray(dense.model.encode_document(list(part), show_progress_bar=False), np.float32)}

    parts, _ = blocks(cache / f"dense-{dense.fingerprint[:16]}", texts, encode, on_progress)
    return np.concatenate([part["vectors"] for part in parts])


def _given(context: Context) -> DenseModel:
    if context.dense is None:
        raise InputError("dense: no model was given for it")
    return context.dense
