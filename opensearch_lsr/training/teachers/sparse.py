"""Sparse teacher: a sentence-transformers ``SparseEncoder``, Siamese or inference-free, its vectors computed once.

    T_qd = Σ_j q_j · d_j

The sparse kind of heterogeneous ensemble distillation (arXiv 2411.04403); a Siamese SPLADE model (arXiv 2205.04733)
scores its own expansion of the query, which an inference-free student cannot make and learns from the scores.

Example: q = {leak: 2, tap: 1}, d = {leak: 0.5, tap: 1, pipe: 3}: T = 2 · 0.5 + 1 · 1 = 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.teachers.encoder import Encoder, Side
from opensearch_lsr.training.teachers.kept import Progress, Storage, kept

with needs_extra("train", "training"):
    import numpy as np
    import scipy.sparse
    import torch
    from numpy.typing import NDArray
    from sentence_transformers import SparseEncoder
    from sentence_transformers.util import get_device_name


class SparseTeacher:
    """Dot products of kept sparse vectors.

    Args:
        name: for logs and the model card.
        queries: float32 CSR [queries, vocabulary].
        documents: float32 CSR [documents, vocabulary].
    """

    def __init__(self, name: str, queries: scipy.sparse.csr_matrix, documents: scipy.sparse.csr_matrix) -> None:
        self.name = name
        self._queries = queries
        self._documents = documents

    @classmethod
    def prepare(
        cls,
        model: str | Path,
        queries: Sequence[str],
        documents: Sequence[str],
        cache: Path,
        device: str | None = None,
        batch_tokens: int = 2048,
        max_length: int = 256,
        on_progress: Progress = lambda what, n, total: None,
    ) -> SparseTeacher:
        """Encode the texts, or load what an earlier call encoded; killed and called again, it goes on.

        Args:
            model: a ``SparseEncoder`` folder, or its Hub name (``owner/name``).
            queries: the texts that query ids stand for.
            documents: the texts that document ids stand for.
            cache: folder for the vectors: 8 bytes an active dimension.
            device: as torch names it; None takes an accelerator where there is one.
            batch_tokens: tokens in a batch, padding included; each takes 2 bytes × vocabulary a few times over (60 KB
                and its copies for BERT's 30,522).
            max_length: cut texts to so many tokens; the model's own limit holds where it is lower.
            on_progress: told (what, texts done, texts) after every batch.

        Raises:
            CheckpointError: when the model is missing or cannot be opened.
            InputError: when there are no queries or documents, or the cache cannot be written.
        """

        def opened(folder: Path) -> SparseEncoder:
            return checkpoint.load(folder).to(device or get_device_name())

        encoder = Encoder(opened, model, max_length, batch_tokens, convert_to_sparse_tensor=False)
        return cls(
            encoder.name,
            kept(_STORAGE, encoder, "query", queries, cache, on_progress),
            kept(_STORAGE, encoder, "document", documents, cache, on_progress),
        )

    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        """Dot products: float32 [Q, D]."""
        block = self._queries[list(queries)] @ self._documents[list(documents)].T
        return torch.from_numpy(block.toarray().astype(np.float32))


def _encode(
    encoder: Encoder, side: Side, texts: Sequence[str], on_batch: Callable[[int], None]
) -> scipy.sparse.csr_matrix:
    def pack(vectors: NDArray[np.float32]) -> scipy.sparse.csr_matrix:
        return scipy.sparse.csr_matrix(vectors)

    order, packed = encoder.encode(side, texts, pack, on_batch)
    return scipy.sparse.vstack(packed, format="csr")[np.argsort(order)]


def _save(matrix: scipy.sparse.csr_matrix, path: Path) -> None:
    scipy.sparse.save_npz(path, matrix, compressed=False)


def _stack(blocks: Sequence[Path], path: Path) -> None:
    _save(scipy.sparse.vstack([_load(block) for block in blocks], format="csr"), path)


def _load(path: Path) -> scipy.sparse.csr_matrix:
    return scipy.sparse.load_npz(path)


_STORAGE = Storage("sparse", ".npz", _encode, _save, _stack, _load)
