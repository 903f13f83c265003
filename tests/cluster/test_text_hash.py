"""A document says of which text its vector is: the same 16 digits, whoever encoded."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, indices, search
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, TEXT_HASH_FIELD, VECTOR_FIELD, Deployment
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data.documents import Document, text_hash, text_of
from opensearch_lsr.document_encoder import DocumentEncoder

pytestmark = pytest.mark.cluster
FIELDS = ["title", "body.text"]
SOURCES: list[dict[str, Any]] = [
    {"title": "water", "body": {"text": "leak"}},
    {"title": "naïve café 中文 \U0001f642 e\u0301"},
    {"title": ["one", " two ", "", None, 3], "body": {"text": ["  three\t"]}},
    {"title": "\u00a0no break\u2003 \u2028", "body": {"text": "\u0000a\u0000"}},
    {"title": " \t\u0000 ", "body": {"text": []}},
    {"body": {"text": "only [SEP] nested"}},
    {"title": "water " * 500},
    {"lang": "en"},
]


@pytest.mark.parametrize("version", ["client", pytest.param("client_2_19", marks=pytest.mark.slow)])
def test_cluster_and_client_hash_alike(request: pytest.FixtureRequest, tiny: Bundle, version: str) -> None:
    client: OpenSearch = request.getfixturevalue(version)
    rows = [Document(str(i), source, "") for i, source in enumerate(SOURCES)]
    expected = [text_hash(text) if (text := text_of(source, FIELDS)) else None for source in SOURCES]
    assert [digest is None for digest in expected] == [False] * 4 + [True, False, False, True]
    for mode, encoder in (("cluster", None), ("client", DocumentEncoder(tiny))):
        target = deploy(client, tiny, alias=f"hashes-{mode}", fields=FIELDS, encode=mode)
        try:
            assert bulk.load(client, target, rows, encoder).rejected == 0
            found = [client.get(index=target.index, id=row.id)["_source"] for row in rows]
            assert [source.get(TEXT_HASH_FIELD) for source in found] == expected
        finally:
            undeploy(client, target.alias)


def test_the_hash_is_in_no_index_and_no_result(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    bulk.load(client, target, [Document("d", {"text": "water leak"}, "")], DocumentEncoder(tiny))
    mapping = client.indices.get_mapping(index=alias)[target.index]["mappings"]["properties"]
    assert mapping[TEXT_HASH_FIELD] == {"type": "keyword", "index": False, "doc_values": False}
    assert client.get(index=alias, id="d")["_source"].keys() == {"text", VECTOR_FIELD, MODEL_FIELD, TEXT_HASH_FIELD}
    (hit,) = search.search(client, alias, "water")
    assert hit.source == {"text": "water leak"}


def test_an_older_index_gets_the_field_when_it_is_deployed_again(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    """Until then nothing is written that its mapping, a strict one here, does not know."""
    wish = Deployment(tiny, alias, ("text",), encode="client", mapping={"mappings": {"dynamic": "strict"}})
    body = indices.body(client, wish)
    del body["mappings"]["properties"][TEXT_HASH_FIELD], body["mappings"]["_meta"]["lsr"]["text_hash"]
    client.indices.create(index=wish.index, body={**body, "aliases": {alias: {}}})
    encoder, rows = DocumentEncoder(tiny), [Document("d", {"text": "water leak"}, "")]

    assert bulk.load(client, deployed(client, alias), rows, encoder).rejected == 0
    assert TEXT_HASH_FIELD not in client.get(index=alias, id="d")["_source"]
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    assert bulk.load(client, target, rows, encoder).rejected == 0
    assert client.get(index=alias, id="d")["_source"][TEXT_HASH_FIELD] == text_hash("water leak")
