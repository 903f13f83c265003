"""IDF-aware FLOPS: a penalty on each token that depends on how frequent the token is."""

from __future__ import annotations

from typing import Literal, get_args

from opensearch_lsr.errors import InputError, needs_extra

with needs_extra("train", "training"):
    import torch
    from torch import Tensor, nn

Weighting = Literal["inverse", "contribution"]


class IDFFlops(nn.Module):
    """FLOPS with a factor per token: ``Σ_j ( f_j · mean_N w_j )²``, f from ``u_j = idf_j / mean idf``.

    2411.04403 is known in two readings, and its versions name it differently:

    * (a) "IDF-aware penalty for the matching function", *IDF in matching with plain FLOPS*: IDF is in the score,
      ``s(q, d) = Σ_j idf_j · w(d)_j``, and the penalty is ``Σ_j (mean_N w_j)²``. The authors' public training code does
      this. Here: a query table with IDF, and :class:`~opensearch_lsr.training.regularizers.flops.Flops`.
    * (b) "IDF-aware FLOPS loss": IDF is in the penalty. That is this class, with or without IDF in the score.

    For (b), both of these have been meant:

    * ``inverse``: f = 1/u. Frequent tokens pay more: the gradient on ``w_j`` is ``2/N · mean_N w_j / u_j²``. It is what
      the paper sets out to do, and what (a) amounts to in the contributions ``c_j = idf_j · w_j`` that a query sees,
      since plain ``Σ_j (mean_N w_j)²`` is ``Σ_j (mean_N c_j / idf_j)²``. The default.
    * ``contribution``: f = u, FLOPS of the contributions themselves, ``Σ_j (mean_N c_j)²`` up to the constant. The
      gradient is ``2/N · u_j² · mean_N w_j``: *rare* tokens pay more. To compare with, not to shorten posting lists.

    With IDF in the score, a relevant document is pulled by ``∂s/∂w_j = idf_j``, so what a weight pays for one unit of
    pull goes as 1/u (a), 1/u³ (b, inverse) and u (b, contribution) times its mean.

    Dividing by the mean IDF is ours: a flat table gives plain FLOPS, so λ keeps its size.

    Args:
        idf: float [vocab] ≥ 0, the query weights; 0 for tokens that never match (special tokens).
        weighting: ``inverse`` or ``contribution``.
        floor: smallest u in ``inverse``, so that no token pays more than ``floor⁻²`` times plain FLOPS.

    Raises:
        InputError: when the table has no positive number or a negative one, or an argument is not of its kind.

    Example: idf (1, 3) is u = (1/2, 3/2); document means (2, 3) cost (2 · 2)² + (3 · 2/3)² = 16 + 4 = 20, and as
    contributions (2 · 1/2)² + (3 · 3/2)² = 1 + 20.25 = 21.25.

        >>> documents, idf = torch.tensor([[2.0, 3.0]]), torch.tensor([1.0, 3.0])
        >>> round(IDFFlops(idf)(documents).item(), 4)
        20.0
        >>> IDFFlops(idf, "contribution")(documents).item()
        21.25
    """

    factor: Tensor

    def __init__(self, idf: Tensor, weighting: Weighting = "inverse", floor: float = 0.1) -> None:
        super().__init__()
        if weighting not in get_args(Weighting):
            raise InputError(f"idf weighting {weighting!r}; it is one of {', '.join(get_args(Weighting))}")
        if not floor > 0:
            raise InputError(f"idf floor {floor}; it is a number above 0")
        if not (idf >= 0).all() or not (idf > 0).any():
            raise InputError("idf table: weights are 0 or more, one at least above 0; make it with opensearch-lsr idf")
        relative = idf.float() / idf[idf > 0].float().mean()
        factor = relative.clamp(min=floor).reciprocal() if weighting == "inverse" else relative
        # Made from the table each time, so a checkpoint need not hold it.
        self.register_buffer("factor", factor, persistent=False)

    def forward(self, documents: Tensor) -> Tensor:
        """Documents float32 [N, vocab] ≥ 0 → scalar."""
        return torch.mul(documents.mean(dim=0), self.factor).square().sum()
