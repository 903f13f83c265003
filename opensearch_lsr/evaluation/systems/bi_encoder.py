"""A sparse bi-encoder: its queries are encoded by its model in ML Commons, one inference a query."""

from __future__ import annotations

from typing import ClassVar

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.evaluation.storage import EncoderName
from opensearch_lsr.evaluation.systems.sparse import SparseIndex, Tokens


class BiEncoderIndex(SparseIndex):
    """Deployed like the others, with the vectors of the bi-encoder."""

    name = "bi-encoder"
    encoder: ClassVar[EncoderName | None] = "bi_encoder"

    @property
    def given(self) -> Bundle | None:
        return self.context.bi_encoder


class BiEncoder(Tokens):
    """What inference at query time brings, and what it costs."""

    name = "bi-encoder"
    title = "LSR (bi-encoder)"
    place = BiEncoderIndex
    side = "encoder"
