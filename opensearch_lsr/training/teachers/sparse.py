"""Sparse teacher: a sentence-transformers ``SparseEncoder``, Siamese or inference-free, its vectors computed once.

    T_qd = Σ_j q_j · d_j

The sparse kind of heterogeneous ensemble distillation (arXiv 2411.04403); a Siamese SPLADE model (arXiv 2205.04733)
scores its own expansion of the query, which an inference-free student cannot make and learns from the scores.

Example: q = {leak: 2, tap: 1}, d = {leak: 0.5, tap: 1, pipe: 3}: T = 2 · 0.5 + 1 · 1 = 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training import checkpoint, head
from opensearch_lsr.training.teachers.encoder import Encoder, Side
from opensearch_lsr.training.teachers.kept import Storage
from opensearch_lsr.training.teachers.vectors import VectorTeacher

with needs_extra("train", "training"):
    import numpy as np
    import scipy.sparse
    import torch
    from numpy.typing import NDArray
    from sentence_transformers import SparseEncoder
    from sentence_transformers.util import get_device_name


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


class SparseTeacher(VectorTeacher[scipy.sparse.csr_matrix]):
    """A ``SparseEncoder``.

    Its vectors are float32 CSR [texts, vocabulary]: 8 bytes an active dimension.
    """

    storage = Storage("sparse", 2, ".npz", _encode, _save, _stack, _load)  # 2: the arg-max head
    # A model whose head cannot be replaced takes 2 bytes × vocabulary a token, a few times over.
    batch_tokens = 2048
    options: ClassVar[Mapping[str, Any]] = {"convert_to_sparse_tensor": False}

    @staticmethod
    def opened(folder: Path, device: str | None) -> SparseEncoder:
        """The model, with the arg-max head where it fits."""
        return head.install_where_it_fits(checkpoint.load(folder)).to(device or get_device_name())

    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        """Dot products: float32 [Q, D]."""
        block = self.queries[list(queries)] @ self.documents[list(documents)].T
        return torch.from_numpy(block.toarray().astype(np.float32))
