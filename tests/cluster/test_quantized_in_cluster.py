"""ML Commons' onnxruntime 1.16.3 runs what current ones do: weights of 4 and of 16 bits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import DocumentEncoder
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deploy import deploy
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.data.documents import Document

TEXT = "the tap in the kitchen leaks"


@pytest.mark.cluster
@pytest.mark.parametrize("quantize", ["fp16", "int4"])
def test_the_clusters_vectors_are_the_clients(
    client: OpenSearch, exported: Callable[..., Bundle], alias: str, quantize: str
) -> None:
    bundle = exported(quantize=quantize)
    deploy(client, str(bundle.path), alias=alias, fields=["text"])
    target = deployed(client, alias)
    bulk.load(client, target, [Document("tap", {"text": TEXT}, "1")], None)
    stored = client.get(index=target.index, id="tap")["_source"]["lsr_vector"]
    (vector,) = DocumentEncoder(bundle).encode([TEXT])
    assert stored == pytest.approx(vector, abs=1e-3)
