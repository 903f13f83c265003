"""The systems that can be compared, by name, in the order of reports; the first is the baseline."""

from __future__ import annotations

from typing import Protocol

from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.systems.bi_encoder import BiEncoder
from opensearch_lsr.evaluation.systems.bm25 import BM25, BM25Standard
from opensearch_lsr.evaluation.systems.dense import Dense
from opensearch_lsr.evaluation.systems.hybrid import Hybrid
from opensearch_lsr.evaluation.systems.seismic import Seismic
from opensearch_lsr.evaluation.systems.sparse import Analyzer, Balanced, Fast, Model, PrunedQuery, Tokens, TwoPhase
from opensearch_lsr.evaluation.systems.system import System


class Make(Protocol):
    """A system's class."""

    name: str
    title: str

    def __call__(self, context: Context) -> System: ...


ALL: list[Make] = [
    BM25,
    BM25Standard,
    Tokens,
    Analyzer,
    Model,
    TwoPhase,
    PrunedQuery,
    Balanced,
    Fast,
    Seismic,
    Hybrid,
    BiEncoder,
    Dense,
]
SYSTEMS: dict[str, Make] = {system.name: system for system in ALL}
