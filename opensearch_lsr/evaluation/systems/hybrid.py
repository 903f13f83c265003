"""BM25 and learned sparse retrieval together: scores normalised (min-max) and averaged by the search pipeline."""

from __future__ import annotations

from opensearch_lsr.cluster.search import Options
from opensearch_lsr.evaluation.systems.sparse import Tokens


class Hybrid(Tokens):
    """``search --hybrid``: BM25 over the text fields of the shared index (english), half and half with the tokens."""

    name = "hybrid"
    title = "Hybrid (BM25 + LSR)"
    options = Options(hybrid=True)
