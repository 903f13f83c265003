"""Going back, with what was written since; and clearing up what is no longer used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from migrating import Traffic, holds, serve, texts, write
from opensearchpy import OpenSearch
from state import snapshot

from opensearch_lsr import deploy, migrate, rollback
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import cleanup, names, register, status
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.handover import block
from opensearch_lsr.errors import DeploymentError

pytestmark = pytest.mark.cluster


def test_forth_back_and_forth_with_changes_between(client: OpenSearch, old: Bundle, new: Bundle, alias: str) -> None:
    """Versions in the old index are higher than sequence numbers in the new one: they must not win."""
    expected = texts(30)
    first = serve(client, old, alias, expected).index
    for i in range(3):
        write(client, old, alias, f"d{i}", "water old", version=10**12 + i, version_type="external")
        expected[f"d{i}"] = "water old"
    second = migrate(client, alias, new).target.index
    holds(client, alias, new, expected)
    for turn, (bundle, index) in enumerate([(new, second), (old, first), (new, second)]):
        assert deployed(client, alias).index == index
        for identifier in ("d0", "d5", f"turn{turn}"):
            expected[identifier] = f"water turn {turn}"
            write(client, bundle, alias, identifier, expected[identifier])
        for identifier in ("d1", "d9") if turn == 0 else (f"d{10 + turn}",):
            client.delete(index=alias, id=identifier)
            del expected[identifier]
        back = old if bundle is new else new
        done = rollback(client, alias, back.path)
        assert (done.outcome.copied, done.outcome.deleted) == (3, 2 if turn == 0 else 1)
        assert block.is_put(client, index)
        assert not block.is_put(client, done.target.index)
        holds(client, alias, back, expected)


def test_in_the_cluster_under_traffic(client: OpenSearch, old: Bundle, new: Bundle, alias: str) -> None:
    documents = texts(60)
    first = serve(client, old, alias, documents, encode="cluster").index
    migrate(client, alias, new)
    with Traffic(client, alias, documents) as traffic:
        done = rollback(client, alias)
        traffic.wait()
    assert traffic.errors == []
    assert done.target.index == first
    holds(client, alias, old, traffic.truth)


def test_without_changes_no_bundle_is_needed(client: OpenSearch, old: Bundle, new: Bundle, alias: str) -> None:
    serve(client, old, alias, texts(10))
    migrate(client, alias, new)
    assert rollback(client, alias, "nowhere").outcome.copied == 0
    holds(client, alias, old, texts(10))


def test_what_cannot_be_gone_back_to_is_said(
    client: OpenSearch, old: Bundle, new: Bundle, exported: Callable[..., Bundle], alias: str
) -> None:
    first = serve(client, old, alias, texts(10)).index
    with pytest.raises(DeploymentError, match="has replaced nothing"):
        rollback(client, alias)
    second = migrate(client, alias, new).target.index
    with pytest.raises(
        DeploymentError, match=f"was replaced by {second}, and lacks what was written since; go back with"
    ):
        deploy(client, old, alias=alias, fields=["text"], encode="client")
    third = migrate(client, alias, exported(quantize="int8-dynamic")).target.index
    with pytest.raises(DeploymentError, match=f"{first}: holds documents that are not {third}'s; remove it first"):
        migrate(client, alias, old)
    assert [removal.name for removal in cleanup.unused(client, alias) if removal.kind == "index"] == [first, second]
    client.indices.delete(index=second)
    with pytest.raises(DeploymentError, match=f"{second} is gone; migrate to its bundle instead"):
        rollback(client, alias)
    assert deployed(client, alias).index == third


def test_migrating_to_the_replaced_index_is_going_back(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str
) -> None:
    expected = texts(30)
    first = serve(client, old, alias, expected).index
    migrate(client, alias, new)
    expected["d3"] = "water since"
    write(client, new, alias, "d3", expected["d3"])
    done = migrate(client, alias, old)
    assert (done.target.index, done.outcome.copied) == (first, 1)
    holds(client, alias, old, expected)


def test_cleanup_shows_and_removes_what_nothing_uses(
    client: OpenSearch, url: str, old: Bundle, new: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*options: str) -> dict[str, object]:
        command = [sys.executable, "-m", "opensearch_lsr.cli", "cleanup", alias, "--json", *options]
        env = {**os.environ, "OPENSEARCH_URL": url}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    deploy(client, new, alias=f"{alias}-other", fields=["text"])
    other = snapshot(client)
    first = serve(client, old, alias, texts(10), encode="cluster", query_mode="model").index
    done = migrate(client, alias, new)
    before = snapshot(client)
    planned = run("--dry-run")
    assert snapshot(client) == before
    model = names.document_model(old.config.name, old.config.document_fingerprint)
    removed = {(one["kind"], one["name"]) for one in planned["removed"]}  # type: ignore[attr-defined]
    assert removed >= {("index", first), ("model", model), ("ingest pipeline", f"lsr-{first}")}
    assert not any(done.target.index in name for _, name in removed)
    assert run("--yes")["removed"] == planned["removed"]
    assert run("--yes")["removed"] == []
    holds(client, alias, new, texts(10))
    status.undeploy(client, alias)
    assert snapshot(client) == other


def test_an_upload_that_was_broken_off_is_cleared(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(client, old, alias, texts(3))

    def broken(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(register, "CHUNK_BYTES", 40_000)
    with pytest.raises(KeyboardInterrupt), register.pack({"model.onnx": new.onnx}) as archive:
        register.register(client, "lsr-broken-off", "1", "SPARSE_ENCODING", archive, broken)
    assert "lsr-broken-off" not in [removal.name for removal in cleanup.unused(client, alias)]
    monkeypatch.setattr(cleanup, "UNTOUCHED", "0s")
    removals = [removal for removal in cleanup.unused(client, alias) if removal.name == "lsr-broken-off"]
    assert len(removals) == 1
    removals[0].apply()
    assert "lsr-broken-off" not in [removal.name for removal in cleanup.unused(client, alias)]
