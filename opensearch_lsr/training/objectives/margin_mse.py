"""MarginMSE distillation: the student's margins between positive and negatives equal the teacher's."""

from __future__ import annotations

from dataclasses import dataclass

from opensearch_lsr.errors import needs_extra

with needs_extra("train", "training"):
    from torch import Tensor


@dataclass(frozen=True)
class MarginMSE:
    """Mean over queries of the mean over negatives n of ``((S_p − S_n) − (T_p − T_n))²``, p the positive.

    2010.02666; SPLADE++ (2205.04733) trains with it. Teacher and student need the same units: margins are matched, not
    orders. With ``e_n`` for a negative's inner difference and m negatives, the gradient is ``−2 e_n / (m · queries)``
    on ``S_n`` and the opposite of their sum on ``S_p``.

    sentence-transformers' ``SparseMarginMSELoss`` is the same number where every query has its own m negatives in the
    data set. Here the negatives are the batch's candidates, fewer for some queries (mask), scored on the fly.

    Example: margins of 1 and 2 against the teacher's 3 and 2: ((1 − 3)² + (2 − 2)²) / 2 = 2.

        >>> import torch
        >>> student, teacher = torch.tensor([[5.0, 4.0, 3.0]]), torch.tensor([[9.0, 6.0, 7.0]])
        >>> MarginMSE()(student, teacher, torch.tensor([0])).item()
        2.0
    """

    def __call__(self, student: Tensor, teacher: Tensor, positive: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            student: scores, float32 [queries, candidates].
            teacher: scores, the same shape, no gradient. A pair that the teacher does not know (NaN) is left out; of a
                query whose positive it does not know, all are.
            positive: int64 [queries], the column of each query's positive.
            mask: bool [queries, candidates], False where a document is no negative of a query.

        Returns:
            Scalar ≥ 0; a query without negatives adds 0.
        """
        column = positive.unsqueeze(1)
        error = (student.gather(1, column) - student) - (teacher.gather(1, column) - teacher)
        negatives = ~error.isnan() if mask is None else mask & ~error.isnan()
        negatives = negatives.scatter(1, column, False)
        squares = error.masked_fill(~negatives, 0.0).square().sum(dim=1)
        return (squares / negatives.sum(dim=1).clamp(min=1)).mean()
