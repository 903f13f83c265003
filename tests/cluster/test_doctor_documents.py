"""The doctor on documents: without a vector, with another encoder's or a stale one, too long, and all alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from doctoring import WORDS, documents, page, problems
from opensearchpy import OpenSearch

from opensearch_lsr import QueryEncoder, deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, indices
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, TEXT_HASH_FIELD, VECTOR_FIELD
from opensearch_lsr.cluster.search import search
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX

pytestmark = pytest.mark.cluster
ALIAS, FIELDS = "doctored", ["title", "text"]


@pytest.fixture(scope="module")
def target(client: OpenSearch, tiny: Bundle) -> Iterator[Deployed]:
    """Encoded by the client; its documents are written anew for each test."""
    yield deploy(client, tiny, alias=ALIAS, fields=FIELDS, encode="client")
    undeploy(client, ALIAS)


@pytest.fixture
def load(client: OpenSearch, tiny: Bundle, target: Deployed) -> Callable[[list[Document]], None]:
    """``load(rows)``: what the index then holds."""
    encoder = DocumentEncoder(tiny)

    def replace(rows: list[Document]) -> None:
        client.delete_by_query(index=target.index, body={"query": {"match_all": {}}}, refresh=True)
        assert bulk.load(client, target, rows, encoder).rejected == 0

    return replace


def test_a_healthy_deployment(client: OpenSearch, load: Callable[..., None]) -> None:
    load([*documents(30), Document("no-text", {"lang": "en"}, ""), Document("no-token", {"text": "[PAD]"}, "")])
    found = page(client, ALIAS)
    assert {what: check.state for what, check in found.items() if check.state != "ok"} == {"posting lists": "not known"}
    assert "none is needed" in found["models"].seen
    assert found["vectors"].numbers["documents"] == 32


@pytest.mark.filterwarnings("ignore:the index .* has a default ingest pipeline")
@pytest.mark.parametrize("version", ["client", pytest.param("client_2_19", marks=pytest.mark.slow)])
def test_which_updates_leave_a_stale_vector(request: pytest.FixtureRequest, tiny: Bundle, version: str) -> None:
    """What the doctor's docstring says of the default pipeline, on the versions it names."""
    client: OpenSearch = request.getfixturevalue(version)
    target = deploy(client, tiny, alias="doctored-updates", fields=FIELDS)
    try:
        bulk.load(client, target, documents(6), None)
        change = {"doc": {"text": "horse"}}
        client.update(index=target.index, id="d0", body=change)
        query = {"query": {"ids": {"values": ["d1"]}}}
        client.update_by_query(
            index=target.index, body={**query, "script": {"source": "ctx._source.text = 'horse'"}}, refresh=True
        )
        assert problems(client, target.alias) == {}
        assert client.get(index=target.index, id="d0")["_source"][VECTOR_FIELD].keys() >= {"horse"}
        upsert = {**change, "doc_as_upsert": True}
        client.bulk(
            body=[
                {"update": {"_index": target.index, "_id": "d2"}},
                change,
                {"update": {"_index": target.alias, "_id": "d3"}},
                upsert,
            ],
            refresh=True,
        )
        found = page(client, target.alias)["stale vectors"]
        assert found.numbers["stale"] == 2
        (line,) = found.findings
        assert line.problem == "2 documents have a vector of an earlier text (d2, d3), of 6 documents"
        _obey(client, line.remedy)
        assert problems(client, target.alias) == {}
        merged = client.get(index=target.index, id="d3")["_source"]
        vector = DocumentEncoder(tiny).encode([f"{merged['title']} horse"])[0]
        assert merged[VECTOR_FIELD] == pytest.approx(vector, abs=1e-3)
    finally:
        undeploy(client, target.alias)


def _obey(client: OpenSearch, remedy: str) -> None:
    """Send the request that a remedy ends with."""
    method, path, body = remedy[remedy.index("POST ") :].split(" ", 2)
    client.transport.perform_request(method, path, body=json.loads(body))


def test_documents_that_passed_no_pipeline(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    target = deploy(client, tiny, alias=alias, fields=FIELDS)
    bulk.load(client, target, documents(4), None)
    client.index(index=alias, id="raw", body={"title": "water"}, pipeline="_none", refresh=True)
    client.index(index=alias, id="empty", body={"title": " "}, pipeline="_none", refresh=True)
    other = {"title": "water", VECTOR_FIELD: {"water": 1.0}, MODEL_FIELD: "0123abcd"}
    client.index(index=alias, id="other", body=other, pipeline="_none", refresh=True)
    check = page(client, alias)["vectors"]
    without, another = check.findings
    assert without.problem == "1 document has text and no vector (raw)"
    assert another.problem.startswith("1 document has a vector of encoder 0123abcd, and queries are for ")
    assert check.numbers["without"] == 2
    for finding in check.findings:
        _obey(client, finding.remedy)
    assert problems(client, alias) == {}


def test_an_update_where_the_client_encodes(client: OpenSearch, load: Callable[..., None]) -> None:
    load(documents(30))
    client.update(index=ALIAS, id="d7", body={"doc": {"text": "horse"}}, refresh=True)
    client.update(index=ALIAS, id="d8", body={"doc": {"lang": "en"}}, refresh=True)
    found = problems(client, ALIAS)
    assert found == {"stale vectors": "1 document has a vector of an earlier text (d7), of 30 documents"}
    looked_at = page(client, ALIAS, size=10)["stale vectors"]
    assert looked_at.numbers["documents"] == 10
    assert "among 10 documents (at random, of 30)" in looked_at.seen
    assert problems(client, ALIAS, size=None) == found


def test_a_vector_without_its_short_one(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    """What an application writes that knows nothing of two-step search."""
    target = deploy(client, tiny, alias=alias, fields=FIELDS, encode="client", preset="fast")
    bulk.load(client, target, documents(3), DocumentEncoder(tiny))
    assert page(client, alias)["short vectors"].seen == "0 missing among 3 documents"
    own = {"title": "water", VECTOR_FIELD: {"water": 1.0}, MODEL_FIELD: tiny.document_key}
    client.index(index=alias, id="own", body=own, refresh=True)
    assert not [hit for hit in search(client, alias, "water") if hit.id == "own"]
    assert problems(client, alias)["short vectors"].startswith("1 document has a vector and no short one (own), of 4")


def test_long_documents(client: OpenSearch, load: Callable[..., None]) -> None:
    load([*documents(30), Document("long", {"text": "water " * 100}, "")])
    check = page(client, ALIAS)["long documents"]
    (line,) = check.findings
    assert line.problem == "3% of 31 documents are longer than the 64 tokens that are encoded (the longest: 102)"
    assert "split long documents" in line.remedy
    assert check.numbers["truncated"] == 1


def test_a_token_in_every_document(client: OpenSearch, load: Callable[..., None]) -> None:
    load([Document(str(i), {"text": f"garden {WORDS[i % 12]}"}, "") for i in range(120)])
    check = page(client, ALIAS)["posting lists"]
    assert "garden" in check.numbers["outliers"]
    assert check.numbers["long"]["garden"] == 1.0
    assert "are in more than 95% of the documents" in check.findings[0].problem
    assert check.numbers["outliers"] == [token for token, share in check.numbers["long"].items() if share > 0.95]


def test_an_edited_table_is_what_clients_look_up(
    client: OpenSearch, tiny: Bundle, target: Deployed, load: Callable[..., None]
) -> None:
    """Where only clients make tokens, editing weights is the way to change them."""
    load(documents(3))
    fingerprint = tiny.config.query_fingerprint
    try:
        client.update(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, body={"doc": {"weights": {"water": 9.5}}})
        assert QueryEncoder.from_cluster(client, ALIAS).encode("water") == {"water": 9.5}
        found = page(client, ALIAS)["token weights"]
        assert (found.state, found.numbers["state"]) == ("ok", "edited")
    finally:
        client.delete(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, refresh=True)
        deploy(client, tiny, alias=ALIAS, fields=FIELDS, encode="client")


def test_an_earlier_versions_documents_are_not_known(
    client: OpenSearch, tiny: Bundle, target: Deployed, load: Callable[..., None]
) -> None:
    load(documents(3))
    script = f"ctx._source.remove('{TEXT_HASH_FIELD}')"
    client.update_by_query(index=ALIAS, body={"script": {"source": script}}, refresh=True)
    found = page(client, ALIAS)["stale vectors"]
    assert (found.state, found.numbers) == ("not known", {})
    meta: dict[str, Any] = dict(target.meta)
    del meta["text_hash"]
    indices.put_meta(client, target.index, meta)
    found = page(client, ALIAS)["stale vectors"]
    assert found.state == "not known"
    assert f"opensearch-lsr deploy BUNDLE --alias {ALIAS} --field title --field text --encode client" in found.seen
    deploy(client, tiny, alias=ALIAS, fields=FIELDS, encode="client")
    load(documents(3))
    assert page(client, ALIAS)["stale vectors"].state == "ok"


def test_a_bi_encoders_tokenizer_comes_from_the_bundle(
    client: OpenSearch, exported: Callable[..., Bundle], alias: str
) -> None:
    bundle = exported("siamese")
    deploy(client, bundle, alias=alias, fields=["text"])
    client.index(index=alias, id="d", body={"text": "water"}, refresh=True)
    found = page(client, alias)
    assert {what for what, check in found.items() if check.state != "ok"} == {"long documents", "posting lists"}
    assert page(client, alias, bundle=str(bundle.path))["long documents"].numbers["longest"] == 3
