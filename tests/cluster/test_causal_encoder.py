"""Causal LMs as encoders of a live index: the client encodes, the cluster ranks as offline dot products do."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import DocumentEncoder, QueryEncoder
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deploy import deploy
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.search import search
from opensearch_lsr.data import documents
from opensearch_lsr.export.export import export
from opensearch_lsr.rank_feature import CUT, kept
from opensearch_lsr.sparse_vector import SparseVector, dot

sys.path.append(str(Path(__file__).parents[1] / "training"))

SAMPLE = Path(bulk.__file__).parents[1] / "samples" / "handbook"
FIELDS = ["title", "text"]
QUERIES = ["a tap that leaks", "battery of a phone", "snow in winter"]


def as_kept(vector: SparseVector) -> SparseVector:
    """Its weights as Lucene reads them: the sign, the exponent and eight bits of the fraction."""
    bits = {token: kept(weight) << CUT for token, weight in vector.items()}
    return {token: struct.unpack(">f", struct.pack(">I", value))[0] for token, value in bits.items()}


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("family", "attention", "quantize"), [("gpt2", "echo", "int8"), ("llama", "bidirectional", "none")]
)
def test_rankings_are_those_of_dot_products(
    client: OpenSearch, alias: str, family: str, attention: str, quantize: str, tmp_path: Path
) -> None:
    from tiny_causal import make_causal_encoder

    bundle = export(make_causal_encoder(tmp_path, family, attention), tmp_path / "bundle", quantize=quantize)
    deploy(client, str(bundle.path), alias=alias, fields=FIELDS, encode="client")
    target, encoder = deployed(client, alias), DocumentEncoder(bundle)
    read = list(documents.read(str(SAMPLE), FIELDS))
    assert bulk.load(client, target, read, encoder).indexed == len(read)
    texts = {one.id: documents.text_of(one.source, FIELDS) for one in read}
    encoded = encoder.encode(list(texts.values()))
    vectors = {name: as_kept(vector) for name, vector in zip(texts, encoded, strict=True)}
    for text in QUERIES:
        query = QueryEncoder.from_cluster(client, alias).encode(text)
        scores = {name: dot(query, vector) for name, vector in vectors.items() if dot(query, vector)}
        hits = search(client, alias, text, size=len(texts))
        assert {hit.id: hit.score for hit in hits} == pytest.approx(scores, rel=1e-5)
        assert [hit.id for hit in hits] == sorted(scores, key=lambda name: -scores[name])
        assert len(hits) > 10
