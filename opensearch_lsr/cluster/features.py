"""What this package asks of OpenSearch, and since which version each is there: the one place that knows.

Deploying, searching, the doctor and the benchmark all ask here, so that what lacks is refused everywhere by the same
line. A test holds the table against every version that is run here, in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import Enum
from typing import Any

NEURAL_SEARCH, ML_COMMONS, KNN = "opensearch-neural-search", "opensearch-ml", "opensearch-knn"  # plugins
OLDEST = (2, 14)  # that this package works with; what is older is not told apart


class Feature(Enum):
    """Something a cluster can do.

    Attributes:
        what: it is, as in “OpenSearch 2.19 lacks …”.
        since: (major, minor) of the first OpenSearch that has it.
        plugin: whose it is.
        instead: what does without it; empty where nothing does.
    """

    QUERY_TOKENS = "neural_sparse with query_tokens", OLDEST
    MODELS = "ONNX models in ML Commons", OLDEST, ML_COMMONS, "encode documents at the client (--encode client)"
    HYBRID = "hybrid search", OLDEST
    CHUNKS = "chunks of long documents, each with a vector (--chunk)", OLDEST
    TWO_PHASE = "two-phase search", (2, 15), NEURAL_SEARCH, "leave two-phase out"
    PRUNING = "pruning in the ingest pipeline", (2, 19), NEURAL_SEARCH, "prune at the client (--encode client)"
    HYBRID_DEPTH = "pagination_depth in hybrid queries", (2, 19)
    ANALYZER = "the analyzer query mode", (3, 1), NEURAL_SEARCH, "take the query mode tokens, which ranks alike"
    SPARSE_VECTOR = "sparse_vector fields (SEISMIC)", (3, 3), NEURAL_SEARCH, "take the preset fast"
    DENSE = "k-NN search of dense vectors", OLDEST, KNN

    def __init__(self, what: str, since: tuple[int, int], plugin: str = NEURAL_SEARCH, instead: str = "") -> None:
        self.what, self.since, self.plugin, self.instead = what, since, plugin, instead

    def state(self, version: tuple[int, int]) -> str:
        """``works``, or the version that it needs."""
        return "works" if version >= self.since else f"needs {self.since[0]}.{self.since[1]}"

    @property
    def remedy(self) -> str:
        """For a cluster that is too old."""
        upgrade = f"upgrade to {self.since[0]}.{self.since[1]} or later"
        return f"{upgrade}, or {self.instead}" if self.instead else upgrade


Needs = Set[Feature]


def needed_by(meta: Mapping[str, Any]) -> Needs:
    """What a deployment needs of the cluster.

    Args:
        meta: what its index's ``_meta.lsr`` says, or will say.
    """
    in_cluster = meta["encode"] == "cluster"
    asked = {
        Feature.QUERY_TOKENS: True,
        Feature.MODELS: in_cluster or meta["query_mode"] == "model" or meta["query"] == "encoder",
        Feature.CHUNKS: bool(meta.get("chunk")),  # an index from before chunks has none
        Feature.PRUNING: in_cluster and bool(meta["prune"]),
        Feature.TWO_PHASE: meta["two_phase"],
        Feature.ANALYZER: meta["query_mode"] == "analyzer",
    }
    return {feature for feature, is_asked in asked.items() if is_asked}
