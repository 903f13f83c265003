"""InfoNCE: the positive against all other candidates, those the teacher finds relevant left out."""

from __future__ import annotations

from dataclasses import dataclass

from opensearch_lsr.errors import needs_extra

with needs_extra("train", "training"):
    import torch
    from torch import Tensor
    from torch.nn import functional


@dataclass(frozen=True)
class InfoNCE:
    """Mean over queries of ``−ln( exp(scale · S_p) / Σ_d exp(scale · S_d) )``, p the positive, d its candidates.

    1807.03748; for sparse encoders with in-batch negatives, SPLADE (2107.05720). With ``margin``, a candidate d with
    ``T_d > T_p − margin`` is taken out of the sum as a likely false negative (GISTEmbed, 2402.16829). The gradient on
    ``S_d`` is ``scale · (softmax_d − 1[d = p]) / queries``.

    sentence-transformers' ``SparseMultipleNegativesRankingLoss`` is the same number for one list of documents shared by
    all queries. Here pairs can be left out one by one (a duplicate text, a known positive), and the teacher that
    distils also filters, with no guide model of its own.

    Args:
        scale: factor on the student's scores.
        margin: in the teacher's units; None for no filter.

    Example: scores 1, 0, 0 give −ln(e / (e + 2)) = 0.5514. The teacher's 9, 8, 1 with margin 2 take the second
    candidate out: −ln(e / (e + 1)) = 0.3133.

        >>> student, positive = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0])
        >>> round(InfoNCE()(student, None, positive).item(), 4)
        0.5514
        >>> round(InfoNCE(margin=2.0)(student, torch.tensor([[9.0, 8.0, 1.0]]), positive).item(), 4)
        0.3133
    """

    scale: float = 1.0
    margin: float | None = None

    def __call__(self, student: Tensor, teacher: Tensor | None, positive: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            student: scores, float32 [queries, candidates].
            teacher: scores, the same shape, or None; only read with ``margin``. NaN filters nothing.
            positive: int64 [queries], the column of each query's positive, always a candidate.
            mask: bool [queries, candidates], False where a document is no candidate of a query.

        Returns:
            Scalar ≥ 0; a query without negatives adds 0.
        """
        column = positive.unsqueeze(1)
        candidates = torch.ones_like(student, dtype=torch.bool) if mask is None else mask
        if teacher is not None and self.margin is not None:
            candidates = candidates & ~(teacher > teacher.gather(1, column) - self.margin)
        candidates = candidates.scatter(1, column, True)
        return functional.cross_entropy((self.scale * student).masked_fill(~candidates, float("-inf")), positive)
