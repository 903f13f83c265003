"""A causal LM's document side as the export sees every encoder: ids and mask in, logits out, row j about token j.

Which attention, the second reading of an echo, and the move of the logits by one place are
:class:`~opensearch_lsr.training.causal_transformer.CausalTransformer`'s; here they become part of the graph, so that
whoever runs it gives plain ids.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from opensearch_lsr.errors import needs_extra

with needs_extra("export", "exporting a checkpoint"):
    import torch

    from opensearch_lsr.training import checkpoint

if TYPE_CHECKING:
    from opensearch_lsr.training.causal_transformer import CausalTransformer


class CausalDocuments(torch.nn.Module):
    """What a masked LM is, of a causal one.

    Args:
        transformer: trained, with eager attention.
    """

    def __init__(self, transformer: CausalTransformer) -> None:
        super().__init__()
        self.transformer = transformer

    @property
    def config(self) -> Any:
        return self.transformer.auto_model.config

    @property
    def positions(self) -> int | None:
        """How many tokens of a document fit, however often they are read."""
        positions = checkpoint.positions(self.transformer.auto_model)
        return None if positions is None else positions // self.transformer.copies

    def get_output_embeddings(self) -> torch.nn.Module:
        decoder: torch.nn.Module = self.transformer.auto_model.get_output_embeddings()
        return decoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        """int64 [batch, sequence] each, padded on the right → ``.logits`` [batch, sequence, vocab]."""
        features = {"input_ids": input_ids, "attention_mask": attention_mask.long()}
        return SimpleNamespace(logits=self.transformer.forward(features)["token_embeddings"])
