"""Two-step search: a short vector finds candidates, the whole one ranks them (Two-Step SPLADE, arXiv 2404.13357).

A document's short vector keeps the entries that can add most to a score. With a table, what a query token adds is known
when the document is indexed::

    contribution(t) = w_d(t) · w_q(t)        short(d) = the TOKENS entries of d with the largest contributions

The first step scores all documents by short vectors, whose posting lists are little more than half as long; the best
WINDOW of them get the score of their whole vectors, so that scores are those of exact search and only which documents
are scored can differ. The paper cuts queries, too, and saturates weights in the first step; here queries are whole, as
cutting them saves few postings. ``benchmarks/candidates.py`` prints what other lengths and windows find: among a
million documents these keep nDCG@10 and nine of exact search's first ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensearch_lsr.cluster.deployment import SHORT_FIELD, VECTOR_FIELD
from opensearch_lsr.sparse_vector import SparseVector, by_contribution

TOKENS = 128  # of a short vector
WINDOW = 200  # documents a shard that are scored in whole; more when more hits are asked for
MAPPING = {SHORT_FIELD: {"type": "rank_features"}}


def short(vector: Mapping[str, float], weights: Mapping[str, float]) -> SparseVector:
    """The entries of a document that can add most to a score.

    Args:
        vector: a document's.
        weights: the query side's table.
    """
    ranked = by_contribution(vector, weights)[:TOKENS]
    return {token: vector[token] for token, contribution in ranked if contribution > 0}


def first(clause: Mapping[str, Any]) -> dict[str, Any]:
    """The first step of a ``neural_sparse`` clause on whole vectors."""
    return {"neural_sparse": {SHORT_FIELD: clause["neural_sparse"][VECTOR_FIELD]}}


def second(clause: Mapping[str, Any], size: int) -> dict[str, Any]:
    """The ``rescore`` of a request for ``size`` hits."""
    weights = {"query_weight": 0, "rescore_query_weight": 1}
    return {"window_size": max(WINDOW, size), "query": {"rescore_query": clause, **weights}}
