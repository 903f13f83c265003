"""What every teacher is: a name, and scores for any block of queries × documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Teacher(Protocol):
    """Scores pairs of the texts that it was made with; higher is more relevant, the scale is its own.

    Example: a teacher made with 100 queries and 5,000 documents gives ``scores([7, 2], [40, 3, 3])`` as [2, 3]: row 0
    is query 7, columns 1 and 2 are the same document and so equal.
    """

    @property
    def name(self) -> str:
        """Short, for logs and the model card."""
        ...

    def scores(self, queries: Sequence[int], documents: Sequence[int]) -> torch.Tensor:
        """Scores of each query with each document.

        Args:
            queries: positions in the list of queries, Q of them.
            documents: positions in the list of documents, D of them.

        Returns:
            float32 [Q, D] on the CPU; NaN where the teacher knows nothing of a pair (precomputed scores only).
        """
        ...
