"""Scores that came with the training data (a cross-encoder's, say), as a teacher.

    T_qd = the score in the file, NaN for a pair that it does not have

Teachers that cannot be run over every pair of a batch are distilled this way (MarginMSE: arXiv 2010.02666; SPLADE++:
arXiv 2205.04733). In an ensemble a NaN leaves this teacher out of that pair's average.

Example: one row, query 3 with documents (8, 5) scored (0.9, 0.1): ``scores([3, 4], [5, 6])`` is
((0.1, NaN), (NaN, NaN)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opensearch_lsr.errors import needs_extra

with needs_extra("train", "training"):
    import torch

if TYPE_CHECKING:
    from opensearch_lsr.data.training_set import Row


class PrecomputedTeacher:
    """Looks pairs up.

    Args:
        rows: of a training set; those without scores teach nothing. Where a pair stands twice, the later score holds.
    """

    name = "precomputed"

    def __init__(self, rows: Sequence[Row]) -> None:
        self._scores: dict[int, dict[int, float]] = {}
        for row in rows:
            if row.scores is not None:
                self._scores.setdefault(row.query, {}).update(zip(row.documents, row.scores, strict=True))

    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        """Known scores: float32 [Q, D], NaN elsewhere."""
        nothing: dict[int, float] = {}
        block = [
            [known.get(document, math.nan) for document in documents]
            for known in (self._scores.get(query, nothing) for query in queries)
        ]
        return torch.tensor(block, dtype=torch.float32).reshape(len(queries), len(documents))
