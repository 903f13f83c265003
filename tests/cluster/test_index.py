"""Loading: counts add up, nothing is lost, rejections are retried or named."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from opensearchpy import OpenSearch, Transport
from opensearchpy.exceptions import TransportError

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.deployment import MODEL_FIELD, VECTOR_FIELD
from opensearch_lsr.data.documents import Document, Reject
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.rank_feature import short

pytestmark = pytest.mark.cluster


def rows(count: int) -> list[Document]:
    return [Document(f"d{i}", {"title": "water", "text": f"leak number {i}."}, f"file:{i + 1}") for i in range(count)]


@pytest.mark.parametrize("mode", ["cluster", "client"])
def test_counts_add_up(client: OpenSearch, tiny: Bundle, alias: str, mode: str) -> None:
    target = deploy(
        client,
        tiny,
        alias=alias,
        fields=["title", "text"],
        encode=mode,
        mapping={"properties": {"day": {"type": "date"}}},
    )
    wrong = Document("bad", {"title": "a", "day": "not a day"}, "file:101")
    empty = Document("empty", {"title": " ", "text": ""}, "file:102")
    stream = [*rows(100), wrong, empty, Reject("file:103", "not JSON", "{")]
    seen: list[int] = []
    rejects: list[Reject] = []
    encoder = DocumentEncoder(tiny) if mode == "client" else None
    report = bulk.load(client, target, stream, encoder, lambda r: seen.append(r.indexed), rejects.append)
    assert (report.read, report.indexed, report.rejected, report.without_vector) == (103, 101, 2, 1)
    assert sorted(reject.origin for reject in rejects) == ["file:101", "file:103"]
    assert any("failed to parse field [day]" in reject.reason for reject in rejects)
    assert client.count(index=alias)["count"] == 101
    assert seen[-1] == 101
    marked = client.count(index=alias, body={"query": {"term": {MODEL_FIELD: target.document_key}}})["count"]
    assert marked == 100
    assert VECTOR_FIELD not in client.get(index=target.index, id="empty")["_source"]
    parts = {"reading documents", "sending, waiting for the cluster", "refresh"}
    assert report.timings.seconds.keys() == parts | ({"encoding"} if mode == "client" else set())
    vector = client.get(index=target.index, id=rows(1)[0].id)["_source"][VECTOR_FIELD]
    assert (vector == short(vector)) == (mode == "client")
    assert bulk.load(client, target, rows(100), DocumentEncoder(tiny) if mode == "client" else None).indexed == 100
    assert client.count(index=alias)["count"] == 101


def test_documents_without_text_between_others(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    texts = ["", "water", "", "", "leak", ""]
    documents = [Document(f"d{i}", {"text": text}, "") for i, text in enumerate(texts)]
    report = bulk.load(client, target, documents, DocumentEncoder(tiny))
    assert (report.indexed, report.without_vector) == (6, 4)
    found = [client.get(index=target.index, id=f"d{i}")["_source"].get(VECTOR_FIELD) for i in range(6)]
    assert [bool(vector) for vector in found] == [bool(text) for text in texts]
    assert found[1] == pytest.approx(DocumentEncoder(tiny).encode(["water"])[0], rel=1 / 256)


def test_shortened_weights_are_the_same_features(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    weights = {f"t{i}": 0.01 * 1.07**i for i in range(120)}
    client.index(index=target.index, id="long", body={VECTOR_FIELD: weights})
    client.index(index=target.index, id="short", body={VECTOR_FIELD: short(weights)}, refresh=True)
    for token in weights:
        query = {"neural_sparse": {VECTOR_FIELD: {"query_tokens": {token: 1.0}}}}
        hits = client.search(index=target.index, body={"query": query})["hits"]["hits"]
        assert [hit["_score"] for hit in hits] == [hits[0]["_score"]] * 2, token
    assert short(weights) != weights


def test_a_load_that_fails_leaves_no_encoder_at_work(
    client: OpenSearch, tiny: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    encoder, run = DocumentEncoder(tiny), []

    def gone(*_: object) -> None:
        raise ConnectionError("the cluster is gone")

    def slow(ids: list[list[int]]) -> list[dict[str, float]]:
        run.append(ids)
        time.sleep(0.05)
        return [{"water": 1.0}] * len(ids)

    monkeypatch.setattr(bulk, "_send", gone)
    monkeypatch.setattr(encoder, "_run", slow)
    monkeypatch.setattr("opensearch_lsr.document_encoder.TOKENS", 1)
    with pytest.raises(ConnectionError, match="is gone") as caught:
        bulk.load(client, target, rows(5000), encoder)
    after = len(run)
    time.sleep(0.3)
    assert len(run) == after < 5000
    assert caught.value


def test_documents_with_vectors_pass_the_pipeline_again(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    """Dotted and empty-looking token names must not break a document that is written back, nor stay when stale."""
    target = deploy(client, tiny, alias=alias, fields=["text"])
    bulk.load(client, target, [Document("d", {"text": "tea. coffee... a, b; 3.5"}, "")], None)
    source = client.get(index=target.index, id="d")["_source"]
    assert "." in source[VECTOR_FIELD]
    client.index(index=alias, id="d", body=source | {"text": "horse"}, refresh=True)
    again = client.get(index=target.index, id="d")["_source"]
    assert again[VECTOR_FIELD] == pytest.approx(DocumentEncoder(tiny).encode(["horse"])[0], abs=1e-3)
    client.index(
        index=alias, id="d", body={"title": "none", MODEL_FIELD: "stale", VECTOR_FIELD: {"x": 1}}, refresh=True
    )
    assert client.get(index=target.index, id="d")["_source"] == {"title": "none"}


def test_another_encoder_than_deployed_is_refused(
    client: OpenSearch, exported: Callable[..., Bundle], alias: str
) -> None:
    target = deploy(client, exported("router"), alias=alias, fields=["text"], encode="client")
    with pytest.raises(DeploymentError, match="its vectors are of encoder"):
        bulk.document_encoder(target, str(exported("router", "relu").path))


@pytest.mark.parametrize("whole_request", [True, False])
def test_429_is_retried_until_everything_is_in(
    client: OpenSearch, tiny: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch, whole_request: bool
) -> None:
    """A busy node is a fault that a real one cannot be made to show on demand: the first answers are forged."""
    target = deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    send, forged = Transport.perform_request, [0]

    def busy(self: Transport, method: str, path: str, *args: Any, **options: Any) -> Any:
        answer = send(self, method, path, *args, **options)
        if path.endswith("_bulk") and forged[0] < 2:
            forged[0] += 1
            if whole_request:
                raise TransportError(429, "rejected_execution_exception", {})
            for item in answer["items"][::3]:
                item["index"] |= {"status": 429, "error": {"reason": "busy"}}
            answer["errors"] = True
        return answer

    monkeypatch.setattr(Transport, "perform_request", busy)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    report = bulk.load(client, target, rows(50), DocumentEncoder(tiny))
    assert (forged[0], report.read, report.indexed, report.rejected) == (2, 50, 50, 0)
    assert client.count(index=alias)["count"] == 50
