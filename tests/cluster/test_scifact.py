"""1,500 abstracts of SciFact in both encoding modes: nothing lost, and the same vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from opensearchpy import OpenSearch, helpers

from opensearch_lsr import deploy
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data import documents
from opensearch_lsr.document_encoder import DocumentEncoder

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
FIELDS = ["title", "text"]
COUNT = 1500  # all 5,183 take ten minutes


@pytest.fixture
def indexed(client: OpenSearch, collection: Callable[[str], Path]) -> Iterator[dict[str, bulk.Report]]:
    folder = collection("scifact")
    reports = {}
    for mode in ("client", "cluster"):
        target = deploy(client, "default", alias=f"scifact-{mode}", fields=FIELDS, encode=mode)
        encoder = DocumentEncoder.from_pretrained() if mode == "client" else None
        reports[mode] = bulk.load(client, target, islice(documents.read(str(folder), FIELDS), COUNT), encoder)
    yield reports
    for mode in reports:
        undeploy(client, f"scifact-{mode}")


def test_both_modes_index_everything_with_equal_vectors(client: OpenSearch, indexed: dict[str, bulk.Report]) -> None:
    for mode, report in indexed.items():
        assert (report.read, report.indexed, report.rejected) == (COUNT, COUNT, 0), mode
        assert client.count(index=f"scifact-{mode}")["count"] == COUNT
    by_client = vectors(client, "scifact-client")
    by_cluster = vectors(client, "scifact-cluster")
    assert by_client.keys() == by_cluster.keys()
    for identifier, vector in by_client.items():
        other = by_cluster[identifier]
        for token in vector.keys() | other.keys():
            assert vector.get(token, 0) == pytest.approx(other.get(token, 0), rel=1 / 256, abs=1e-3), identifier


def vectors(client: OpenSearch, index: str) -> dict[str, dict[str, float]]:
    hits = helpers.scan(client, index=index, size=500, _source_includes=[VECTOR_FIELD])
    return {hit["_id"]: hit["_source"][VECTOR_FIELD] for hit in hits}
