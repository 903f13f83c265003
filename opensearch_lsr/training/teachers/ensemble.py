"""Heterogeneous ensemble distillation (arXiv 2411.04403): teachers of different kinds as one.

For each teacher k and each query, over the query's candidates C:

    n_k(q, d) = (s_k(q, d) − min_C s_k) / (max_C s_k − min_C s_k)          0 to 1, whatever the teacher's scale
    T(q, d)   = scale · Σ_k w_k · n_k(q, d)                                 Σ_k w_k = 1

A cosine (0.2 to 0.7) and a sparse dot product (5 to 40) so weigh the same, and the scale, 30 in the public recipe,
spreads the average out to the size of a sparse student's own scores before the softmax of the KL loss.

Example: candidates with cosines (0.2, 0.7, 0.45) and BM25 scores (10, 4, 4), weights 0.5 each, scale 30. Normalised
(0, 1, 0.5) and (1, 0, 0); averaged (0.5, 0.5, 0.25); T = (15, 15, 7.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opensearch_lsr.errors import InputError, needs_extra

with needs_extra("train", "training"):
    import torch

if TYPE_CHECKING:
    from opensearch_lsr.training.teachers.teacher import Teacher

SAME = 1e-6  # of the scores' size: what float32 can make of equal scores


class Ensemble:
    """Weighted average of teachers, normalised or, for margins, as they are.

    Args:
        teachers: each with its weight; weights are divided by their sum.
        scale: factor; the highest score a pair can get, if normalised.
        normalize: False to leave scores as the teachers give them: MarginMSE (arXiv 2010.02666) matches their margins.

    Raises:
        InputError: when there is no teacher, or a weight or the scale is not a positive number.
    """

    def __init__(self, teachers: Sequence[tuple[Teacher, float]], scale: float = 30.0, normalize: bool = True) -> None:
        if not teachers:
            raise InputError("ensemble: has no teacher; name one at least")
        for teacher, weight in teachers:
            if not 0 < weight < float("inf"):  # written so that NaN fails
                raise InputError(f"ensemble: teacher {teacher.name} weighs {weight}; weights are positive numbers")
        if not 0 < scale < float("inf"):
            raise InputError(f"ensemble: scale is {scale}; it is a positive number, 30 in the paper's recipe")
        total = sum(weight for _, weight in teachers)
        self.scale = scale
        self.normalize = normalize
        self.teachers = [(teacher, weight / total) for teacher, weight in teachers]
        self.name = " + ".join(f"{weight:.2g} {teacher.name}" for teacher, weight in self.teachers)

    def scores(
        self, queries: Sequence[int], documents: Sequence[int], mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Scores, from 0 to ``scale`` if normalised.

        Args:
            queries: Q ids.
            documents: D ids.
            mask: bool [Q, D], False where a pair is no candidate: it takes no part in min and max.

        Returns:
            float32 [Q, D] on the CPU: 0 where ``mask`` is False, NaN for a candidate that no teacher knows.
        """
        mask = None if mask is None else mask.cpu()
        given = [teacher.scores(queries, documents) for teacher, _ in self.teachers]
        if self.normalize:
            given = [min_max(scores, mask) for scores in given]
        elif mask is not None:
            given = [scores.masked_fill(~mask, 0.0) for scores in given]
        return combine(given, [weight for _, weight in self.teachers], self.scale)


def min_max(scores: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Each row's candidates to 0 … 1.

    Args:
        scores: float32 [Q, D], NaN where unknown.
        mask: bool [Q, D], False where a pair is no candidate; None: all are.

    Returns:
        float32 [Q, D]: 0 where ``mask`` is False, NaN where a candidate is unknown, and 0 throughout a row whose
        known candidates all score the same, as a single candidate does: nothing can be learned from it.
    """
    candidate = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
    known = candidate & ~scores.isnan()
    low = scores.masked_fill(~known, torch.inf).amin(dim=1, keepdim=True)
    high = scores.masked_fill(~known, -torch.inf).amax(dim=1, keepdim=True)
    span = high - low
    # -inf or NaN in a row without known candidates: not greater either
    varied = span > SAME * torch.maximum(low.abs(), high.abs())
    normalised = torch.where(varied, (scores - low) / torch.where(varied, span, 1.0), 0.0)
    return normalised.masked_fill(~known, torch.nan).masked_fill(~candidate, 0.0)


def combine(normalised: Sequence[torch.Tensor], weights: Sequence[float], scale: float) -> torch.Tensor:
    """Weighted average of the teachers that know a pair, times ``scale``.

    A pair that teacher k does not know (NaN) is averaged over the others, their weights made to sum to 1 again.
    Example: (1, NaN) and (0, 0.5), weights 0.75 and 0.25, scale 30: (0.75 · 30, 0.5 · 30) = (22.5, 15).

    Args:
        normalised: a float32 [Q, D] for each teacher.
        weights: one for each teacher.
        scale: what 1 becomes.

    Returns:
        float32 [Q, D]; NaN where no teacher knows the pair.
    """
    stacked = torch.stack(list(normalised))
    weight = torch.tensor(weights, dtype=stacked.dtype)[:, None, None] * ~stacked.isnan()
    return scale * (weight * stacked.nan_to_num(nan=0.0)).sum(dim=0) / weight.sum(dim=0)
