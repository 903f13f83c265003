"""An empty index is filled without refreshes and replicas; what they were is restored, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, first_load, indices
from opensearch_lsr.cluster.deployment import Deployed
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
