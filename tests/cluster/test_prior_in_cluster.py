"""A document encoder with a lexical prior (a scatter-add in the graph) and three logarithms inside ML Commons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.export.export import export
from opensearch_lsr.training import checkpoint, model
from opensearch_lsr.training.recipe_model import Model, Prior

pytestmark = pytest.mark.cluster
TEXTS = ["the kitchen tap leaks", "a tap, a tap and a pipe", "x"]


@pytest.fixture
def with_prior(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> Bundle:
    start = checkpoint_folder("mlm")
    asked = Model(
        str(start),
        token_weights=str(start / "idf.json"),
        logs=3,
        max_length=64,
        lexical_prior=Prior(average_length=8.0),
    )
    checkpoint.save(model.build(asked), tmp_path / "checkpoint")
    return export(tmp_path / "checkpoint", tmp_path / "bundle", quantize="int8")


def test_the_cluster_gives_the_same_vectors(client: OpenSearch, alias: str, with_prior: Bundle) -> None:
    assert with_prior.config.activation == "log1p_log1p_relu"
    target = deploy(client, with_prior, alias=alias, fields=["text"], encode="cluster")
    documents = (Document(str(number), {"text": text}, "here") for number, text in enumerate(TEXTS))
    assert bulk.load(client, target, documents, None).indexed == len(TEXTS)
    for number, expected in enumerate(DocumentEncoder(with_prior).encode(TEXTS)):
        vector = client.get(index=alias, id=str(number))["_source"][VECTOR_FIELD]
        assert vector.keys() == expected.keys()
        assert vector == pytest.approx(expected, abs=1e-3)
