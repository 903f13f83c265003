"""A deployment on OpenSearch 2.19.1 works as on 3.6, encoded here or there: searched, taken over, undeployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from migrating import holds, serve, texts, write
from opensearchpy import OpenSearch
from state import snapshot

from opensearch_lsr import QueryEncoder, deploy, migrate, rollback
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, search
from opensearch_lsr.cluster.cleanup import unused
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.health.doctor import examine
from opensearch_lsr.cluster.search import Options
from opensearch_lsr.cluster.status import resources, undeploy
from opensearch_lsr.data import beir, documents
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import PreflightError
from opensearch_lsr.sparse_vector import Prune, SparseVector, dot

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SAMPLE = Path(bulk.__file__).parents[1] / "samples" / "handbook"
FIELDS = ["title", "text"]
DOCUMENTS = list(islice(documents.read(str(SAMPLE), FIELDS), 40))
QUERIES = list(beir.read_queries(SAMPLE).values())[:10]


@pytest.fixture(scope="module")
def vectors() -> dict[str, SparseVector]:
    """Of the documents, encoded here; without a vector where there is no text."""
    encoded = DocumentEncoder.from_pretrained().encode(
        [documents.text_of(document.source, FIELDS) for document in DOCUMENTS]
    )
    return {document.id: vector for document, vector in zip(DOCUMENTS, encoded, strict=True)}


@pytest.fixture(scope="module", params=["client", "cluster"])
def target(request: pytest.FixtureRequest, client_2_19: OpenSearch) -> Iterator[Deployed]:
    """The default encoder over documents of the sample, encoded here or there."""
    before = snapshot(client_2_19)
    made = deploy(client_2_19, "default", alias=f"older-{request.param}", fields=FIELDS, encode=request.param)
    encoder = DocumentEncoder.from_pretrained() if request.param == "client" else None
    report = bulk.load(client_2_19, made, DOCUMENTS, encoder)
    assert (report.indexed, report.rejected) == (len(DOCUMENTS), 0)
    yield made
    undeploy(client_2_19, made.alias)
    assert snapshot(client_2_19) == before


def ranking(client: OpenSearch, target: Deployed, text: str, **options: Any) -> dict[str, float]:
    return {hit.id: hit.score for hit in search.search(client, target.alias, text, size=50, options=Options(**options))}


def test_scores_are_the_offline_dot_products(
    client_2_19: OpenSearch, target: Deployed, vectors: dict[str, SparseVector]
) -> None:
    encoder = QueryEncoder.from_cluster(client_2_19, target.alias)
    found = 0
    for text in QUERIES:
        own = {identifier: dot(encoder.encode(text), vector) for identifier, vector in vectors.items()}
        scores = ranking(client_2_19, target, text)
        found += len(scores)
        for identifier in scores.keys() | own.keys():
            assert scores.get(identifier, 0.0) == pytest.approx(own[identifier], rel=0.01, abs=0.01)
    assert found > len(QUERIES)


def test_two_phase_and_hybrid(client_2_19: OpenSearch, target: Deployed) -> None:
    for text in QUERIES:
        exact, two_phase = ranking(client_2_19, target, text), ranking(client_2_19, target, text, two_phase=True)
        assert two_phase == pytest.approx({identifier: exact[identifier] for identifier in two_phase}, rel=1e-4)
        hybrid = ranking(client_2_19, target, text, hybrid=True)
        assert hybrid.keys() >= exact.keys()
        assert all(0 <= score <= 1 + 1e-6 for score in hybrid.values())
        assert max(hybrid.values(), default=1.0) >= 0.5


def test_what_was_made_is_reported(client_2_19: OpenSearch, target: Deployed) -> None:
    states = {resource.kind: resource.state for resource in resources(client_2_19, target.alias)}
    assert states["token weights"] == "stored"
    assert states.get("model", "DEPLOYED") == "DEPLOYED"


def test_documents_are_taken_over(client_2_19: OpenSearch, target: Deployed) -> None:
    prune = Prune("max_ratio", 0.4)
    taken = deploy(
        client_2_19,
        "default",
        alias=f"{target.alias}-taken",
        fields=FIELDS,
        encode=target.meta["encode"],
        prune=prune,
        source_index=target.alias,
    )
    try:
        client_2_19.indices.refresh(index=taken.index)
        query = {"size": 100, "query": {"match_all": {}}}
        hits = {
            index: client_2_19.search(index=index, body=query)["hits"]["hits"] for index in (target.index, taken.index)
        }
        whole, kept = ({hit["_id"]: hit["_source"].get(VECTOR_FIELD, {}) for hit in found} for found in hits.values())
        assert kept.keys() == whole.keys()
        for identifier, vector in kept.items():
            expected = prune(whole[identifier])
            for token in vector.keys() ^ expected.keys():  # at the limit itself, rounding decides
                assert whole[identifier][token] == pytest.approx(0.4 * max(whole[identifier].values()), rel=0.01)
            both = vector.keys() & expected.keys()
            assert {t: vector[t] for t in both} == pytest.approx({t: expected[t] for t in both}, rel=0.01)
            assert len(both) >= len(expected) - 2
    finally:
        undeploy(client_2_19, taken.alias)


def test_the_doctor_finds_nothing(client_2_19: OpenSearch, target: Deployed) -> None:
    assert [finding for check in examine(client_2_19, target.alias) for finding in check.findings] == []


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_another_encoder_and_back(client_2_19: OpenSearch, exported: Callable[..., Bundle], mode: str) -> None:
    before, expected, alias = snapshot(client_2_19), texts(40), f"older-migrated-{mode}"
    old, new = exported("router"), exported("router", "relu")
    serve(client_2_19, old, alias, expected, encode=mode)

    def meanwhile(one: str, other: str) -> None:
        client_2_19.delete(index=alias, id="d3")
        del expected["d3"]
        expected["d4"] = "water meanwhile"
        write(client_2_19, old, alias, "d4", expected["d4"])

    migrate(client_2_19, alias, new, before_swap=meanwhile)
    holds(client_2_19, alias, new, expected)
    expected["d5"] = "water since"
    write(client_2_19, new, alias, "d5", expected["d5"])
    rollback(client_2_19, alias, old.path)
    holds(client_2_19, alias, old, expected)
    for removal in unused(client_2_19, alias):
        removal.apply()
    undeploy(client_2_19, alias)
    assert snapshot(client_2_19) == before


def test_the_analyzer_mode_is_refused_with_the_version_it_needs(client_2_19: OpenSearch) -> None:
    with pytest.raises(PreflightError, match="OpenSearch 2.19 lacks the analyzer query mode: upgrade to 3.1 or later"):
        deploy(client_2_19, "default", alias="older-analyzer", fields=FIELDS, encode="client", query_mode="analyzer")
