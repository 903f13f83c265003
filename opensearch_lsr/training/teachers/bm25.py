"""BM25 as a teacher: exact words, which a dense teacher blurs. Among the teachers of an ensemble: arXiv 2411.04403."""

from __future__ import annotations

from collections.abc import Sequence

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training.bm25 import BM25

with needs_extra("train", "training"):
    import numpy as np
    import torch


class BM25Teacher:
    """Scores of :class:`opensearch_lsr.training.bm25.BM25`.

    Args:
        queries: the texts that query ids stand for.
        documents: the texts that document ids stand for; they also give N, df and the average length.
        k1: how slowly a repeated term saturates.
        b: how much a document's length counts, 0 to 1.
    """

    name = "bm25"

    def __init__(self, queries: Sequence[str], documents: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        index = BM25(documents, k1, b)
        self._queries, self._documents = index.queries(queries), index.documents

    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        """BM25 scores: float32 [Q, D], 0 where no word is shared."""
        block = self._queries[list(queries)] @ self._documents[list(documents)].T
        return torch.from_numpy(block.toarray().astype(np.float32))
