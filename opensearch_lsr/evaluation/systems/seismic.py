"""SEISMIC: approximate search of a ``sparse_vector`` field (OpenSearch 3.3+), arXiv 2404.18812.

What was seen on OpenSearch 3.6, and holds this file together:

- Vectors and ``query_tokens`` are keyed by token id, as strings of whole numbers; words are refused. Ids have
  16 bits, one of them a sign: a search that meets a larger one than 32,767, in its query or in a document, fails. So
  where a vocabulary is larger, the tokens that occur in documents are counted anew.
- Weights are one byte: ``round(255 · min(w, ceiling) / ceiling)``. Weights above ``quantization_ceiling_ingest``
  (default 3) and ``quantization_ceiling_search`` (16) are clipped, so both are set to the largest weight there is;
  the smaller the ceiling, the finer the steps.
- A segment with fewer documents than ``approximate_threshold`` (default 1,000,000) is searched exactly, and nothing in
  the answer or in ``_plugins/_neural/stats`` says so: ``seismic_query_requests`` counts requests with
  ``method_parameters``, exact ones too. What does say so is the score. An approximate score is an integer, the dot
  product of two byte vectors, times ``ceiling_ingest · ceiling_search / 255²``; an exact score is a sum of
  ``rank_features`` weights, and no multiple of it. :meth:`Seismic.proof` looks at that. (3.5+ also says
  ``sparse_ann score`` in ``explain``.)
- A query keeps its ``top_n`` strongest tokens (default 10), exact segments ignore that. ``k`` bounds the hits, whatever
  ``size`` says. Clusters are skipped by comparison with the 10th best score so far, whatever ``k`` is: what is found
  below rank 10 thins out.
- A posting list keeps its ``n_postings`` heaviest documents: by default 0.0005 of the segment's, at least 160. On some
  ten thousand documents that is little, and ``overlap@10`` shows it: no latency without it.
- Clusters are built at every flush and merge of segments that reach the threshold, by one thread. With an index merged
  to one segment the threshold is the number of documents, so that they are built once.
- Forward index and clusters are cached, up to ``plugins.neural_search.circuit_breaker.limit`` (10 % of the heap).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from typing import Any, ClassVar

from opensearch_lsr.cluster import preflight
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import relevance
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.storage import TEXT, EncoderName, Record, Storage
from opensearch_lsr.evaluation.systems.system import DEEPEST, System
from opensearch_lsr.query_encoder import QueryEncoder

BYTE = 255
TOP_N, HEAP_FACTOR = 10, 1.0  # the plugin's defaults
IDS = 32_768  # ids below it are told apart
PROOF_QUERIES = 30
OFF = 0.02  # how far from a whole number a score may be, float32 rounding aside


class SeismicIndex(Storage):
    """The text fields and ``sparse_vector``, id-keyed."""

    name = "seismic"
    encoder: ClassVar[EncoderName | None] = "bundle"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.clipped_weights = 0
        if context.bundle is not None:
            names = context.bundle.names
            self.renumbered = len(names) > IDS
            self.ids = {name: place for place, name in enumerate(context.occurring if self.renumbered else names)}

    @property
    def ceilings(self) -> tuple[float, float]:
        """Largest document weight, largest query weight, rounded up to 1/1000."""
        bundle, largest = self.context.bundle, self.context.largest_weight
        if bundle is None or largest is None:
            raise InputError("seismic: needs a bundle and the largest weight of its document vectors")
        return _up(largest), _up(max(bundle.weights.values()))

    @property
    def method(self) -> dict[str, Any]:
        """The field's method; what is not named keeps the plugin's defaults."""
        ingest, search = self.ceilings
        return {
            "name": "seismic",
            "parameters": {
                "quantization_ceiling_ingest": ingest,
                "quantization_ceiling_search": search,
                "approximate_threshold": self.context.documents if self.context.merged else 1,
            },
        }

    def body(self) -> dict[str, Any]:
        vector = {"type": "sparse_vector", "method": self.method}
        return {"settings": {"sparse": True}, "mappings": {"properties": {**TEXT, VECTOR_FIELD: vector}}}

    def create(self) -> None:
        self.clipped_weights = 0
        super().create()

    def source(self, record: Record) -> dict[str, Any]:
        vector: Any = record.vector or {}
        ceiling = self.ceilings[0]
        self.clipped_weights += sum(weight > ceiling for weight in vector.values())
        by_id = {str(self.ids[token]): weight for token, weight in vector.items()}
        return {"title": record.title, "text": record.text, **({VECTOR_FIELD: by_id} if by_id else {})}

    def notes(self) -> dict[str, Any]:
        return {"clipped_weights": self.clipped_weights}


class Seismic(System):
    """Tokens looked up by the client, clusters of documents instead of posting lists."""

    name = "seismic"
    title = "LSR (SEISMIC)"
    place: ClassVar[type[SeismicIndex]] = SeismicIndex
    top_n: ClassVar[int] = TOP_N
    heap_factor: ClassVar[float] = HEAP_FACTOR

    def __init__(self, context: Context) -> None:
        self._index = self.place(context)
        super().__init__(context, self._index)

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            **self._index.method["parameters"],
            "top_n": self.top_n,
            "heap_factor": self.heap_factor,
            "k": DEEPEST,
            "renumbered_ids": len(self._index.ids) if self._index.renumbered else 0,
        }

    def missing(self) -> str | None:
        bundle = self.context.bundle
        if bundle is None or bundle.config.query != "table":
            return "no encoder bundle with a table of query weights was given for it"
        if (tokens := len(self._index.ids)) > IDS:
            return f"its documents have {tokens:,} different tokens, and SEISMIC tells {IDS:,} apart"
        return preflight.lacks(self.client, {Feature.QUERY_TOKENS, Feature.SPARSE_VECTOR})

    def prepare(self) -> None:
        bundle = self.context.bundle
        if bundle is not None:
            self._encoder = QueryEncoder.from_pretrained(str(bundle.path))

    def encode(self, text: str) -> dict[str, float]:
        ids = self._index.ids
        # a token that no document has adds nothing
        return {str(ids[token]): weight for token, weight in self._encoder.encode(text).items() if token in ids}

    def query(self, encoded: dict[str, float], size: int) -> dict[str, Any]:
        if not encoded:
            return {"match_none": {}}
        method = {"top_n": self.top_n, "heap_factor": self.heap_factor, "k": max(size, DEEPEST)}
        return {"neural_sparse": {VECTOR_FIELD: {"query_tokens": encoded, "method_parameters": method}}}

    def proof(self, texts: Iterable[str], size: int = 10) -> dict[str, Any]:
        """Whether approximate search really runs, told from the scores.

        Args:
            texts: queries; the first 30 suffice, as one exact score in about ten passes for an approximate one by
                chance.
            size: hits of each.

        Returns:
            ``proven``, and ``how``: one sentence for the report.

        Raises:
            ClusterError: when the cluster stops answering, or does not get to a query.
        """
        ingest, search = self._index.ceilings
        step = ingest * search / BYTE**2
        queries = {str(number): text for number, text in enumerate(islice(texts, PROOF_QUERIES))}
        run = relevance.collect(self.client, self, queries, size=size).run
        scores = [score for found in run.values() for score in found.values()]
        whole = sum(_is_whole(score / step) for score in scores)
        proven = bool(scores) and whole == len(scores)
        how = (
            f"{whole:,} of {len(scores):,} scores are whole multiples of the quantization step "
            f"{ingest:g} · {search:g} / 255², as only SEISMIC's are"
        )
        return {"proven": proven, "how": how}


def _up(weight: float) -> float:
    return math.ceil(weight * 1000) / 1000


def _is_whole(steps: float) -> bool:
    return abs(steps - round(steps)) <= OFF + steps * 2.0**-22  # scores are float32
