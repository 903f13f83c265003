"""KL distillation: the student's ranking as a distribution, pulled towards the teacher's."""

from __future__ import annotations

from dataclasses import dataclass

from opensearch_lsr.errors import needs_extra

with needs_extra("train", "training"):
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class KLDistillation:
    """Mean over queries of ``KL(softmax(T) ‖ softmax(scale · S)) = Σ_d t_d (ln t_d − ln s_d)``.

    Distillation by a softmax over candidates is 2010.11386's; over an ensemble's normalised scores, 2411.04403's (the
    teacher matrix comes here normalised and scaled, so it has no factor of its own). The gradient on ``S_d`` is
    ``scale · (s_d − t_d) / queries``.

    sentence-transformers' ``SparseDistillKLDivLoss`` is the same number at temperature 1 where each query has its own
    list of candidates, as texts, with scores in the data set. Here every document of the batch can be a candidate of
    every query, pairs can be left out, and the teacher scores them on the fly.

    Args:
        scale: factor on the student's scores.

    Example: T = (ln 3, 0) is t = (3/4, 1/4) and S = (0, 0) is s = (1/2, 1/2); 3/4 ln 3/2 + 1/4 ln 1/2 = 0.1308.

        >>> import math
        >>> teacher = torch.tensor([[math.log(3), 0.0]])
        >>> round(KLDistillation()(torch.zeros(1, 2), teacher, torch.tensor([0])).item(), 4)
        0.1308
    """

    scale: float = 1.0

    def __call__(self, student: Tensor, teacher: Tensor, positive: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            student: scores, float32 [queries, candidates].
            teacher: scores, the same shape, no gradient. A pair that the teacher does not know (NaN) is left out.
            positive: int64 [queries]; not used: the teacher says what is relevant.
            mask: bool [queries, candidates], False where a pair leaves both softmaxes.

        Returns:
            Scalar ≥ 0; a query with fewer than two candidates adds 0.
        """
        candidates = ~teacher.isnan() if mask is None else mask & ~teacher.isnan()
        # The smallest finite number, not −inf: exp makes it 0 all the same, and 0 · ln 0 stays 0 in both directions.
        lowest = torch.finfo(student.dtype).min
        log_student = (self.scale * student).masked_fill(~candidates, lowest).log_softmax(dim=1)
        log_teacher = teacher.masked_fill(~candidates, lowest).log_softmax(dim=1)
        return (log_teacher.exp() * (log_teacher - log_student)).sum(dim=1).mean()
