"""BM25 and learned sparse retrieval together: scores normalised (min-max) and averaged by the search pipeline.

A shard normalises over the best ``pagination_depth`` documents of each side; left to itself that is the number of
hits asked for, and the same document gets another score among 10 than among 100.
"""

from __future__ import annotations

from typing import Any, ClassVar

from opensearch_lsr.cluster.features import Feature, Needs
from opensearch_lsr.cluster.search import Options
from opensearch_lsr.evaluation.systems.sparse import Tokens
from opensearch_lsr.evaluation.systems.system import DEEPEST


class Hybrid(Tokens):
    """``search --hybrid``: BM25 over the text fields of the shared index (english), half and half with the tokens."""

    name = "hybrid"
    title = "Hybrid (BM25 + LSR)"
    options = Options(hybrid=True)
    needs: ClassVar[Needs] = {Feature.HYBRID, Feature.HYBRID_DEPTH}

    @property
    def parameters(self) -> dict[str, Any]:
        return super().parameters | {"pagination_depth": DEEPEST}

    def query(self, encoded: dict[str, Any], size: int) -> dict[str, Any]:
        return {"hybrid": {**encoded["hybrid"], "pagination_depth": max(size, DEEPEST)}}
