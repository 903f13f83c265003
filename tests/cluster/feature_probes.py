"""Each feature of the table used for real: through this package, and by a bare request that only a server refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, preflight
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.cluster.search import Options, search
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import PreflightError
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.context import Context, DenseModel
from opensearch_lsr.evaluation.storage import Record, build
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.sparse_vector import Prune, SparseVector

TEXTS = {"tap": "a dripping kitchen tap", "brake": "worn pads make brakes squeak", "tea": "green tea brewed too hot"}
QUERY, ANSWER = "the tap in my kitchen drips", "tap"
ALIAS, OTHER = "features", "features-other"  # of the deployment that is searched, and of what a probe makes
INDEX = RUN = "features-bare"
Use = Callable[[OpenSearch, Bundle], None]


def check(client: OpenSearch, feature: Feature, tiny: Bundle) -> None:
    """What works is used in every way there is; what lacks is refused each time, and by the server, too.

    Hold :func:`served` around it.
    """
    if preflight.version(client) >= feature.since:
        for use in [*OURS[feature], SERVERS[feature]]:
            use(client, tiny)
        return
    for use in OURS[feature]:
        with pytest.raises(PreflightError, match=re.escape(f"lacks {feature.what}: {feature.remedy}")):
            use(client, tiny)
    with pytest.raises(RequestError):
        SERVERS[feature](client, tiny)


@cache
def vectors() -> dict[str, SparseVector]:
    """Of the texts, by the default encoder."""
    return dict(zip(TEXTS, DocumentEncoder.from_pretrained().encode(list(TEXTS.values())), strict=True))


# through the package


@contextmanager
def served(client: OpenSearch, alias: str = ALIAS, bundle: str | Bundle = "default", **options: Any) -> Iterator[str]:
    """The texts behind an alias; its index."""
    target = deploy(client, bundle, alias=alias, fields=["text"], **{"encode": "client", **options})
    try:
        encoder = DocumentEncoder.from_pretrained() if target.meta["encode"] == "client" else None
        rows = [Document(identifier, {"text": text}, "") for identifier, text in TEXTS.items()]
        assert bulk.load(client, target, rows, encoder).indexed == len(rows)
        yield target.index
    finally:
        undeploy(client, alias)


def hits(client: OpenSearch, alias: str = ALIAS, **options: Any) -> dict[str, float]:
    return {hit.id: hit.score for hit in search(client, alias, QUERY, options=Options(**options))}


def by_tokens(client: OpenSearch, tiny: Bundle) -> None:
    found = hits(client)
    assert max(found, key=found.__getitem__) == ANSWER


def by_hybrid(client: OpenSearch, tiny: Bundle) -> None:
    found = hits(client, hybrid=True)
    assert found.keys() >= hits(client).keys()
    assert found[ANSWER] == pytest.approx(1.0)  # the best of both sides


def by_two_phase(client: OpenSearch, tiny: Bundle) -> None:
    assert hits(client, two_phase=True)[ANSWER] == pytest.approx(hits(client)[ANSWER], rel=1e-4)


def by_analyzer(client: OpenSearch, tiny: Bundle) -> None:
    assert hits(client, mode="analyzer") == pytest.approx(hits(client), rel=1e-4)


def by_chunks(client: OpenSearch, tiny: Bundle) -> None:
    with served(client, OTHER, chunk=20):  # characters: each text has two or more
        assert max(found := hits(client, OTHER), key=found.__getitem__) == ANSWER
        assert found != pytest.approx(hits(client), rel=0.01)


def deployed_with_analyzer(client: OpenSearch, tiny: Bundle) -> None:
    with served(client, OTHER, query_mode="analyzer"):
        assert hits(client, OTHER, mode="analyzer") == pytest.approx(hits(client), rel=1e-4)


def encoded_by_the_cluster(client: OpenSearch, tiny: Bundle, prune: Prune | None = None) -> None:
    whole = dict(zip(TEXTS, DocumentEncoder(tiny).encode(list(TEXTS.values())), strict=True))
    with served(client, OTHER, tiny, encode="cluster", prune=prune) as index:
        for identifier, vector in whole.items():
            stored = client.get(index=index, id=identifier)["_source"][VECTOR_FIELD]
            expected = prune(vector) if prune else vector
            assert stored == pytest.approx(expected, rel=0.01)
            assert len(stored) < len(vector) or not prune


def benchmarked(name: str) -> Use:
    """A system of the benchmark finds the answer, or says what it needs."""

    def use(client: OpenSearch, tiny: Bundle) -> None:
        largest = max(max(vector.values()) for vector in vectors().values())
        dense = DenseModel("letters", "f" * 64, Letters())
        bundle = Bundle.open("default")
        context = Context(client, RUN, "texts", len(TEXTS), bundle=bundle, dense=dense, largest_weight=largest)
        system = SYSTEMS[name](context)
        if why := system.missing():
            raise PreflightError(why)
        given = {key: Letters.of(text) for key, text in TEXTS.items()} if name == "dense" else vectors()
        try:
            build(system.storage, [Record(key, "", text, given[key]) for key, text in TEXTS.items()])
            system.prepare()
            params, body = system.request(system.encode(QUERY), len(TEXTS), True)
            found = client.search(index=system.index, body=body, params=params)["hits"]["hits"]
            assert found[0]["_id"] == ANSWER
        finally:
            cleanup(client, RUN)

    return use


class Letters:
    """A dense model: how often a text has each letter."""

    similarity_fn_name = "cosine"

    @staticmethod
    def of(text: str) -> list[float]:
        return [float(text.count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]

    def get_embedding_dimension(self) -> int:
        return 26

    def encode_query(self, text: str, **_: Any) -> Any:
        import numpy as np

        return np.array(self.of(text))


OURS: dict[Feature, list[Use]] = {
    Feature.QUERY_TOKENS: [by_tokens],
    Feature.MODELS: [encoded_by_the_cluster],
    Feature.HYBRID: [by_hybrid],
    Feature.CHUNKS: [by_chunks],
    Feature.TWO_PHASE: [by_two_phase],
    Feature.PRUNING: [lambda client, tiny: encoded_by_the_cluster(client, tiny, Prune("top_k", 3))],
    Feature.HYBRID_DEPTH: [benchmarked("hybrid")],
    Feature.ANALYZER: [by_analyzer, deployed_with_analyzer, benchmarked("analyzer")],
    Feature.SPARSE_VECTOR: [benchmarked("seismic")],
    Feature.DENSE: [benchmarked("dense")],
}

# by bare requests


def asked(query: dict[str, Any]) -> Use:
    """A search of one document, which it must find."""

    def use(client: OpenSearch, tiny: Bundle) -> None:
        properties = {"v": {"type": "rank_features"}, "t": {"type": "text"}}
        with made(client, {"mappings": {"properties": properties}}):
            client.index(index=INDEX, id="1", body={"v": {"dog": 1.5}, "t": "dog"}, refresh=True)
            assert client.search(index=INDEX, body={"query": query})["hits"]["total"]["value"] == 1

    return use


@contextmanager
def made(client: OpenSearch, body: dict[str, Any]) -> Iterator[None]:
    client.indices.create(index=INDEX, body=body)
    try:
        yield
    finally:
        client.indices.delete(index=INDEX)


def chunked(client: OpenSearch, tiny: Bundle) -> None:
    vectors = {"type": "nested", "properties": {"v": {"type": "rank_features"}}}
    clause = {"neural_sparse": {"c.v": {"query_tokens": {"dog": 1.0}}}}
    with made(client, {"mappings": {"properties": {"c": vectors}}}):
        client.index(index=INDEX, id="1", body={"c": [{"v": {"dog": 1.5}}, {"v": {"cat": 1.0}}]}, refresh=True)
        nested = {"nested": {"path": "c", "score_mode": "max", "query": clause}}
        assert client.search(index=INDEX, body={"query": nested})["hits"]["hits"][0]["_score"] == 1.5


def index_of(settings: dict[str, Any], field: dict[str, Any]) -> Use:
    def use(client: OpenSearch, tiny: Bundle) -> None:
        with made(client, {"settings": settings, "mappings": {"properties": {"v": field}}}):
            """The server takes it."""

    return use


def pipeline(kind: str, processors: str, processor: dict[str, Any]) -> Use:
    def use(client: OpenSearch, tiny: Bundle) -> None:
        client.transport.perform_request("PUT", f"/_{kind}/pipeline/{INDEX}", body={processors: [processor]})
        client.transport.perform_request("DELETE", f"/_{kind}/pipeline/{INDEX}")

    return use


def register(client: OpenSearch, tiny: Bundle) -> None:
    meta = {"name": INDEX, "version": "1", "model_format": "ONNX", "function_name": "SPARSE_ENCODING"}
    content = {"model_content_size_in_bytes": 10, "model_content_hash_value": "0" * 64, "total_chunks": 1}
    answer = client.transport.perform_request("POST", "/_plugins/_ml/models/_register_meta", body=meta | content)
    assert answer["status"] == "CREATED"
    client.plugins.ml.delete_model(model_id=answer["model_id"])


_CLAUSE = {"neural_sparse": {"v": {"query_tokens": {"dog": 1.0}}}}
_PRUNED = {"model_id": "x", "field_map": {"t": "v"}, "prune_type": "top_k", "prune_ratio": 3}
_HNSW = {"name": "hnsw", "engine": "lucene", "space_type": "innerproduct"}

SERVERS: dict[Feature, Use] = {
    Feature.QUERY_TOKENS: asked(_CLAUSE),
    Feature.MODELS: register,
    Feature.HYBRID: asked({"hybrid": {"queries": [_CLAUSE]}}),
    Feature.CHUNKS: chunked,
    Feature.TWO_PHASE: pipeline("search", "request_processors", {"neural_sparse_two_phase_processor": {}}),
    Feature.PRUNING: pipeline("ingest", "processors", {"sparse_encoding": _PRUNED}),
    Feature.HYBRID_DEPTH: asked({"hybrid": {"queries": [_CLAUSE], "pagination_depth": 10}}),
    Feature.ANALYZER: asked({"neural_sparse": {"v": {"query_text": "dog", "analyzer": "bert-uncased"}}}),
    Feature.SPARSE_VECTOR: index_of({"sparse": True}, {"type": "sparse_vector", "method": {"name": "seismic"}}),
    Feature.DENSE: index_of({"knn": True}, {"type": "knn_vector", "dimension": 2, "method": _HNSW}),
}
