"""The relevance of an index as it is deployed, each with its own query side: what a migration is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import search
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.search import Options
from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import measures, relevance
from opensearch_lsr.evaluation.measures import Qrels
from opensearch_lsr.query_encoder import QueryEncoder

MEASURE, DEPTH = "nDCG@10", 10


class DeployedIndex:
    """An index, asked as :func:`opensearch_lsr.cluster.search.search` asks it.

    Args:
        client: the cluster.
        index: one that is deployed, behind an alias or not yet.
    """

    def __init__(self, client: OpenSearch, index: str) -> None:
        self._client, self._target = client, deployed(client, index)
        by_table = self._target.meta["query"] == "table"
        self._encoder = QueryEncoder.from_cluster(client, index, check_every=None) if by_table else None

    @property
    def index(self) -> str:
        return self._target.index

    def encode(self, text: str) -> dict[str, Any]:
        return search.body(self._client, self._target, text, size=DEPTH, options=Options(), encoder=self._encoder)

    def request(self, encoded: Any, size: int, track_total_hits: bool) -> tuple[dict[str, str], dict[str, Any]]:
        return {}, {**encoded, "size": size, "_source": False, "track_total_hits": track_total_hits}


def ndcg(client: OpenSearch, index: str, queries: Mapping[str, str], qrels: Qrels) -> float:
    """Mean nDCG@10 of the judged queries.

    Raises:
        InputError: when no query is judged.
        ClusterError: when the cluster stops answering.
        MissingExtraError: when ir_measures is not installed.
    """
    judged = {query: text for query, text in queries.items() if query in qrels}
    if not judged:
        raise InputError("none of the queries has a judgment; do --queries and --qrels belong together?")
    found = relevance.collect(client, DeployedIndex(client, index), judged, size=DEPTH)
    return measures.evaluate({query: qrels[query] for query in judged}, found.run, (MEASURE,))[MEASURE]
