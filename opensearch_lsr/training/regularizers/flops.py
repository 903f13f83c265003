"""FLOPS: the expected number of multiplications of a match, made smooth."""

from __future__ import annotations

from opensearch_lsr.errors import needs_extra

with needs_extra("train", "training"):
    from torch import Tensor, nn


class Flops(nn.Module):
    """``Σ_j ( mean_N w_j )²`` over the tokens j of N documents.

    2004.05665; SPLADE's regulariser (2107.05720). Tokens that many documents use cost most: the gradient on each
    document's ``w_j`` is ``2/N · mean_N w_j``. Equal to sentence-transformers' ``FlopsLoss``, which is made for a model
    and cannot be called with vectors.

    Example: documents (1, 0) and (3, 2) have means (2, 1): 4 + 1 = 5.

        >>> import torch
        >>> Flops()(torch.tensor([[1.0, 0.0], [3.0, 2.0]])).item()
        5.0
    """

    def forward(self, documents: Tensor) -> Tensor:
        """Documents float32 [N, vocab] ≥ 0 → scalar."""
        return documents.mean(dim=0).square().sum()
