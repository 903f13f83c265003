"""Migrating: nothing acknowledged is lost, nothing deleted returns, and searches never notice."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from migrating import Traffic, holds, serve, texts, write
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr import deploy, migrate
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, names
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.handover import block, copying, deletes, stragglers, view
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_written_to_and_searched_all_the_while(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CLIENT_BATCH", 25)  # so that copying has a middle
    documents = texts(150)
    former = serve(client, old, alias, documents, encode=mode)
    with Traffic(client, alias, documents, [old, new] if mode == "client" else ()) as traffic:
        done = migrate(client, alias, new)
        traffic.wait()
    assert traffic.errors == []
    assert traffic.refused
    assert done.outcome.block_seconds > 0
    assert done.former == former.index
    assert list(client.indices.get_alias(name=alias)) == [done.target.index] != [former.index]
    holds(client, alias, new, traffic.truth)
    with pytest.raises(AuthorizationException):  # who wrote to the index itself is told
        client.index(index=former.index, id="x", body={"text": "water"})


def test_a_write_that_the_former_pipeline_had_at_the_swap(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSearch may take a write's pipeline from before the swap and its index from after."""
    former = serve(client, old, alias, texts(10), encode="cluster").index

    def belated(*arguments: Any) -> None:
        body = {"text": "water a.b. late", "n": 1}
        client.index(index=alias, id="late", body=body, pipeline=names.ingest_pipeline(former))

    monkeypatch.setattr(stragglers, "wait_until_idle", belated)
    migrate(client, alias, new)
    holds(client, alias, new, texts(10) | {"late": "water a.b. late"})
    steps: list[str] = []
    migrate(client, alias, new, on_step=lambda title, action: steps.append(title))
    assert steps == []


def test_what_changes_between_the_rounds_and_at_the_last_moment(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of change at each moment: while copying, when all is copied, just before writes are refused."""
    expected = texts(120)
    former = serve(client, old, alias, expected).index

    def change(moment: str, start: int) -> None:
        for i in range(start, start + 3):
            client.delete(index=alias, id=f"d{i}")
            del expected[f"d{i}"]
        for identifier in (f"d{start + 5}", f"{moment}-new", f"d{start + 1}"):  # changed, made, made again
            expected[identifier] = f"water {moment} tea"
            write(client, old, alias, identifier, expected[identifier])
        client.delete(index=alias, id=f"{moment}-new")
        del expected[f"{moment}-new"]

    send, put, batches = bulk._send, block.put, [0]

    def counted(*arguments: Any) -> Any:
        batches[0] += 1
        if batches[0] == 2:
            change("copying", 0)
        return send(*arguments)

    def at_the_last_moment(*arguments: Any) -> None:
        change("last", 80)
        put(*arguments)

    monkeypatch.setattr(bulk, "CLIENT_BATCH", 30)
    monkeypatch.setattr(bulk, "_send", counted)
    monkeypatch.setattr(block, "put", at_the_last_moment)
    monkeypatch.setattr(copying, "SAVE_EVERY", 0)
    done = migrate(client, alias, new, before_swap=lambda one, other: change("copied", 40))
    assert done.former == former
    assert done.outcome.documents == len(expected) == 120 - 3 * 2
    assert done.outcome.deleted >= 6
    holds(client, alias, new, expected)


def test_deletes_are_found_where_numbers_shrank(
    client: OpenSearch, tiny: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = serve(client, tiny, alias, texts(300), mapping={"settings": {"number_of_shards": 2}})
    for module in (deletes, view):
        monkeypatch.setattr(module, "IDS", 10)
    monkeypatch.setattr(deletes, "COUNTED", 6)
    monkeypatch.setattr(deletes, "STEP", 3)
    before = view.View(client, target.index, frozen=True)
    gone = {f"d{i}" for i in (0, 1, 2, 77, 150, 298, 299)}
    for identifier in gone:
        client.delete(index=alias, id=identifier)
    for i in (3, 78, 200):
        write(client, tiny, alias, f"d{i}", "water again")
    write(client, tiny, alias, "new", "water")
    after = view.View(client, target.index, frozen=True)
    try:
        assert sorted(deletes.gone(before, after)) == sorted((identifier, None) for identifier in gone)
        assert deletes.gone(after, after) == []
        assert {hit["_id"] for hit in deletes.strays(before, after)} == gone
    finally:
        before.close()
        after.close()


def test_shards_routing_nested_fields_and_other_aliases(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str
) -> None:
    mapping = {
        "settings": {"number_of_shards": 3},
        "mappings": {"properties": {"parts": {"type": "nested"}, "lang": {"type": "keyword"}}},
    }
    former = deploy(client, old, alias=alias, fields=["text"], encode="client", mapping=mapping)
    english = {"index": former.index, "alias": f"{alias}-en", "filter": {"term": {"lang": "en"}}, "routing": "r1"}
    client.indices.update_aliases(body={"actions": [{"add": english}]})
    (vector,) = DocumentEncoder(old).encode(["water a.b."])
    assert "." in vector
    vector |= {"a.b": 1.0, "..": 2.0}
    for i in range(40):
        body = {"text": f"water a.b. {i}", "lang": "en", "parts": [{"k": 1}, {"k": 2}], VECTOR_FIELD: vector}
        client.index(index=alias, id=f"d{i}", routing=f"r{i % 3}", body=body)
    routing = next(f"q{i}" for i in range(100) if shard_of(client, alias, f"q{i}") != shard_of(client, alias, "r0"))
    client.index(index=alias, id="d0", routing=routing, body={"text": "the same id elsewhere", "lang": "en"})

    def meanwhile(one: str, other: str) -> None:
        client.delete(index=alias, id="d3", routing="r0")
        client.index(index=alias, id="d4", routing="r1", body={"text": "tea", "lang": "en"})

    done = migrate(client, alias, new, before_swap=meanwhile)
    assert done.outcome.documents == 40
    assert not client.exists(index=alias, id="d3", routing="r0")
    assert client.get(index=alias, id="d4", routing="r1")["_source"]["text"] == "tea"
    assert client.get(index=alias, id="d0", routing=routing)["_source"]["text"] == "the same id elsewhere"
    found = client.get(index=alias, id="d5", routing="r2")["_source"]
    assert found["parts"] == [{"k": 1}, {"k": 2}]
    assert found[VECTOR_FIELD] == pytest.approx(DocumentEncoder(new).encode(["water a.b. 5"])[0], rel=1 / 128)
    settings = client.indices.get_settings(index=alias)[done.target.index]["settings"]["index"]
    assert settings["number_of_shards"] == "3"
    moved = client.indices.get_alias(name=f"{alias}-en")
    assert moved == {
        done.target.index: {
            "aliases": {
                f"{alias}-en": {"filter": {"term": {"lang": "en"}}, "index_routing": "r1", "search_routing": "r1"}
            }
        }
    }


def shard_of(client: OpenSearch, alias: str, routing: str) -> int:
    (copies,) = client.search_shards(index=alias, routing=routing)["shards"]
    return int(copies[0]["shard"])


def test_two_runs_at_once(client: OpenSearch, old: Bundle, new: Bundle, alias: str) -> None:
    documents = texts(200)
    serve(client, old, alias, documents)
    failed: list[Exception] = []

    def refuse(one: str, other: str) -> None:
        raise DeploymentError("not yet")

    def run() -> None:
        try:
            migrate(client, alias, new)
        except Exception as error:
            failed.append(error)

    with pytest.raises(DeploymentError, match="not yet"):  # there is something to go on with
        migrate(client, alias, new, before_swap=refuse)

    with Traffic(client, alias, documents, [old, new]) as traffic:
        runs = [threading.Thread(target=run) for _ in range(2)]
        for thread in runs:
            thread.start()
        for thread in runs:
            thread.join()
        traffic.wait()
    assert traffic.errors == []
    assert len(failed) < 2
    assert all(isinstance(error, DeploymentError) for error in failed), failed
    assert deployed(client, alias).meta["document_fingerprint"] == new.config.document_fingerprint
    holds(client, alias, new, traffic.truth)
