"""What query_latency.py compares beside the presets: ways to search that were tried, and are no deployment options."""

from __future__ import annotations

from typing import Any, ClassVar

from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.evaluation.storage import Record
from opensearch_lsr.evaluation.systems.seismic import Seismic, SeismicIndex
from opensearch_lsr.evaluation.systems.sparse import PRUNED_QUERY, Fast, SparseIndex, Tokens

ORDER = "strongest"  # a field


class FastPrunedQuery(Fast):
    """The first step with a query's strong tokens only; the second has all of them."""

    name: ClassVar[str] = "fast-pruned-query"

    def query(self, encoded: dict[str, Any], size: int) -> dict[str, Any]:
        if "neural_sparse" not in encoded:
            return encoded
        strong = PRUNED_QUERY(encoded["neural_sparse"][VECTOR_FIELD]["query_tokens"])
        return super().query({"neural_sparse": {VECTOR_FIELD: {"query_tokens": strong}}}, size)


class LongSeismicIndex(SeismicIndex):
    """Posting lists of several times the plugin's default length; fewer clusters in each, or building takes hours."""

    name: ClassVar[str] = "seismic-long"

    @property
    def method(self) -> dict[str, Any]:
        own = super().method
        longer = {"n_postings": max(500, self.context.documents // 200), "cluster_ratio": 0.02}
        return own | {"parameters": {**own["parameters"], **longer}}


class LongSeismic(Seismic):
    """All of a query's tokens on those."""

    name: ClassVar[str] = "seismic-long"
    place: ClassVar[type[SeismicIndex]] = LongSeismicIndex
    top_n: ClassVar[int] = 1000


class WideSeismic(LongSeismic):
    """Clusters of the same index that promise less are looked into, too."""

    name: ClassVar[str] = "seismic-wide"
    heap_factor: ClassVar[float] = 3.0


class SortedIndex(SparseIndex):
    """The exact index, its documents in order of their strongest token."""

    name: ClassVar[str] = "lsr-sorted"

    def body(self) -> dict[str, Any]:
        body = super().body()
        body["settings"] = {**body["settings"], "sort.field": ORDER, "sort.order": "asc"}
        body["mappings"]["properties"] = {**body["mappings"]["properties"], ORDER: {"type": "keyword"}}
        return body

    def source(self, record: Record) -> dict[str, Any]:
        vector: Any = record.vector or {}
        table = self.bundle.weights
        return super().source(record) | {ORDER: max(vector, key=lambda token: vector[token] * table.get(token, 0.0))}


class Sorted(Tokens):
    """Documents that are alike lie together, so that more blocks of a posting list can be skipped."""

    name: ClassVar[str] = "sorted"
    title: ClassVar[str] = "LSR (sorted)"
    place: ClassVar[type[SparseIndex]] = SortedIndex


TRIED = (FastPrunedQuery, LongSeismic, WideSeismic, Sorted)
