"""Killed before any of its changes to the cluster, a deployment is completed by running it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opensearchpy import OpenSearch
from state import snapshot

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.status import undeploy

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_killed_before_every_change_and_rerun(client: OpenSearch, url: str, tiny: Bundle, alias: str) -> None:
    before = snapshot(client)
    run_killed(url, tiny, alias, 0)
    whole = snapshot(client)
    assert whole != before
    undeploy(client, alias)
    assert snapshot(client) == before

    survived = 0
    for change in range(1, 100):
        if run_killed(url, tiny, alias, change) == 0:
            break
        survived = change
        deploy(client, tiny, alias=alias, fields=["title", "text"], query_mode="model")
        assert snapshot(client) == whole, f"killed before change {change}"
        undeploy(client, alias)
        assert snapshot(client) == before, f"undeployed after a kill before change {change}"
    assert survived >= 12  # group, 2 models with chunks, deploys, probes, table, pipelines, index, alias


def test_killed_while_an_index_is_taken_over(client: OpenSearch, url: str, tiny: Bundle, alias: str) -> None:
    source = f"{alias}-source"
    properties = {"title": {"type": "text"}, "text": {"type": "text"}}
    client.indices.create(index=source, body={"mappings": {"properties": properties}})
    for i in range(90):
        client.index(index=source, id=f"d{i}", body={"title": "water", "text": f"leak {i}"})
    client.indices.refresh(index=source)
    before = snapshot(client)
    for change in range(1, 100):
        if run_killed(url, tiny, alias, change, source) == 0:
            break
        if not client.indices.exists_alias(name=alias):  # else it is taken over already
            client.delete(index=source, id=f"d{change}", refresh=True)
        target = deploy(client, tiny, alias=alias, fields=["title", "text"], encode="client", source_index=source)
        assert vectors_by_id(client, target.index).keys() == vectors_by_id(client, source).keys(), f"change {change}"
        assert all(vectors_by_id(client, target.index).values())
        undeploy(client, alias)
        assert snapshot(client) == before
    assert change >= 10  # table, pipeline, index, clearing, 5 bulk requests, the note that it is done, alias


def vectors_by_id(client: OpenSearch, index: str) -> dict[str, object]:
    hits = client.search(index=index, body={"size": 1000})["hits"]["hits"]
    return {hit["_id"]: hit["_source"].get("lsr_vector") for hit in hits}


def run_killed(url: str, bundle: Bundle, alias: str, change: int, *source: str) -> int:
    script = Path(__file__).with_name("killed_deploy.py")
    arguments = [sys.executable, str(script), url, str(bundle.path), alias, str(change), *source]
    return subprocess.run(arguments, check=False, capture_output=True).returncode
