"""An empty index is filled without refreshes and replicas; what they were is restored, whatever happens."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, first_load, indices
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.health.doctor import examine
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder

pytestmark = pytest.mark.cluster
OWN = {"index": {"refresh_interval": "7s", "number_of_replicas": 1}}


@pytest.fixture
def target(client: OpenSearch, tiny: Bundle, alias: str) -> Deployed:
    return deploy(client, tiny, alias=alias, fields=["text"], encode="client", mapping={"settings": OWN})


def settings(client: OpenSearch, index: str) -> dict[str, Any]:
    found: dict[str, Any] = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    return {name: found.get(name) for name in first_load._WHILE_LOADING}


def rows(count: int = 3) -> Iterator[Document]:
    return (Document(f"d{i}", {"text": f"leak {i}"}, "") for i in range(count))


def test_settings_change_while_it_is_filled_and_come_back(client: OpenSearch, target: Deployed, tiny: Bundle) -> None:
    before = settings(client, target.index)
    assert (before["index.refresh_interval"], before["index.number_of_replicas"]) == ("7s", "1")
    with first_load.first_load(client, target.index):
        assert settings(client, target.index) == first_load._WHILE_LOADING
        bulk.load(client, target, rows(), DocumentEncoder(tiny))
    assert settings(client, target.index) == before
    assert first_load.left_behind(client, target.index) is None
    assert client.count(index=target.index)["count"] == 3
    with first_load.first_load(client, target.index):  # not empty: searched, perhaps
        assert settings(client, target.index) == before


def test_they_come_back_when_loading_fails(client: OpenSearch, target: Deployed) -> None:
    before = settings(client, target.index)
    with pytest.raises(KeyboardInterrupt), first_load.first_load(client, target.index):
        raise KeyboardInterrupt
    assert settings(client, target.index) == before


def test_what_a_killed_load_left_is_restored_by_the_next(client: OpenSearch, target: Deployed, tiny: Bundle) -> None:
    before = settings(client, target.index)
    killed = first_load.first_load(client, target.index)
    killed.__enter__()
    bulk.load(client, target, rows(1), DocumentEncoder(tiny))
    assert first_load.left_behind(client, target.index) == before
    with first_load.first_load(client, target.index):
        assert settings(client, target.index) == first_load._WHILE_LOADING
        bulk.load(client, target, rows(), DocumentEncoder(tiny))
    assert settings(client, target.index) == before
    assert indices.lsr_meta(client, target.index) == target.meta


def test_defaults_come_back_as_defaults(client: OpenSearch, tiny: Bundle, alias: str) -> None:
    index = deploy(client, tiny, alias=alias, fields=["text"], encode="client").index
    before = settings(client, index)
    assert before["index.refresh_interval"] is None
    with first_load.first_load(client, index):
        pass
    assert settings(client, index) == before


def test_the_doctor_sees_and_restores_what_a_killed_load_left(client: OpenSearch, target: Deployed) -> None:
    before = settings(client, target.index)
    killed = first_load.first_load(client, target.index)  # let go, it would restore them
    killed.__enter__()
    found = {check.what: check for check in examine(client, target.alias)}["refreshes and replicas"]
    assert found.numbers == {"set_aside": before, "repaired": False}
    assert "opensearch-lsr doctor --alias" in found.findings[0].remedy
    repaired = {check.what: check for check in examine(client, target.alias, repair=True)}["refreshes and replicas"]
    assert (repaired.state, repaired.seen) == ("ok", "restored just now")
    assert settings(client, target.index) == before
    assert first_load.left_behind(client, target.index) is None


def test_settings_that_are_so_already_are_nobodys_to_restore(client: OpenSearch, target: Deployed) -> None:
    """Its owner's wish; or another load's that began between two looks, and will restore them."""
    client.indices.put_settings(index=target.index, body=first_load._WHILE_LOADING)
    with first_load.first_load(client, target.index):
        assert first_load.left_behind(client, target.index) is None
    assert settings(client, target.index) == first_load._WHILE_LOADING


def test_another_load_that_ends_while_one_begins(
    client: OpenSearch, target: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one found the mark, and took it away before the settings changed."""
    before, put = settings(client, target.index), indices.put_meta

    def taken_away(client: OpenSearch, index: str, lsr: dict[str, Any]) -> None:
        put(client, index, lsr)
        if "first_load" in lsr:
            first_load.restore(client, index)

    monkeypatch.setattr(indices, "put_meta", taken_away)
    with first_load.first_load(client, target.index):
        assert settings(client, target.index) == before
    assert settings(client, target.index) == before


def test_a_cancelled_index_command_restores_them(client: OpenSearch, target: Deployed, tiny: Bundle, url: str) -> None:
    before = settings(client, target.index)
    command = [sys.executable, "-m", "opensearch_lsr.cli", "index", "-", "--alias", target.alias]
    command += ["--bundle", str(tiny.path), "--url", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as loading:
        deadline = time.monotonic() + 60
        while first_load.left_behind(client, target.index) is None:
            assert time.monotonic() < deadline
            assert loading.poll() is None
            time.sleep(0.1)
        loading.terminate()
        loading.wait(60)
    assert loading.returncode != 0
    assert settings(client, target.index) == before
