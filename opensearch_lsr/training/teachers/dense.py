"""Dense Siamese teacher: any sentence-transformers bi-encoder, its vectors computed once.

    T_qd = e_q · e_d        e divided by its length where the model compares by cosine

One of the two kinds that heterogeneous ensemble distillation puts together (arXiv 2411.04403); a bi-encoder scores any
pair of a batch by one product, so every document of the batch is a candidate of every query.

Example: e_q = (0.6, 0.8), documents (1, 0) and (0.6, 0.8): T = (0.6, 1.0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.training.teachers.encoder import Encoder, Side
from opensearch_lsr.training.teachers.kept import Storage
from opensearch_lsr.training.teachers.vectors import VectorTeacher

with needs_extra("train", "training"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer


def _encode(encoder: Encoder, side: Side, texts: Sequence[str], on_batch: Callable[[int], None]) -> NDArray[np.float16]:
    similarity = encoder.model.similarity_fn_name
    if similarity not in ("cosine", "dot"):
        raise CheckpointError(f"teacher {encoder.name}: compares by {similarity}; only cosine and dot can be distilled")

    def pack(vectors: NDArray[np.float32]) -> NDArray[np.float16]:
        if similarity == "cosine":  # also where the model normalises itself: in bfloat16 its lengths are 1 ± 0.4 %
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors.astype(np.float16)

    order, packed = encoder.encode(side, texts, pack, on_batch)
    rows = np.concatenate(packed)
    in_order = np.empty_like(rows)
    in_order[order] = rows
    return in_order


def _save(matrix: NDArray[np.float16], path: Path) -> None:
    np.save(path, matrix)


def _stack(blocks: Sequence[Path], path: Path) -> None:
    shapes = [np.load(block, mmap_mode="r").shape for block in blocks]
    rows = sum(shape[0] for shape in shapes)
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(rows, shapes[0][1]))
    start = 0
    for block, shape in zip(blocks, shapes, strict=True):
        whole[start : start + shape[0]] = np.load(block)
        start += shape[0]
    whole.flush()


def _load(path: Path) -> NDArray[np.float16]:
    vectors: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return vectors


class DenseTeacher(VectorTeacher[NDArray[np.float16]]):
    """A ``SentenceTransformer``.

    Its vectors are float16 [texts, width] (768 bytes a text for MiniLM), divided by their length already where the
    model compares by cosine. One that compares by neither dot nor cosine is refused.
    """

    storage = Storage("dense", 1, ".npy", _encode, _save, _stack, _load)

    @staticmethod
    def opened(folder: Path, device: str | None) -> SentenceTransformer:
        """The model, without code that the folder brings."""
        return SentenceTransformer(
            str(folder), device=device, model_kwargs={"use_safetensors": True}, local_files_only=True
        )

    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        """Cosine, or dot product where the model was trained for it: float32 [Q, D]."""
        left = torch.from_numpy(self.queries[list(queries)].astype(np.float32))
        right = torch.from_numpy(self.documents[list(documents)].astype(np.float32))
        return left @ right.T
