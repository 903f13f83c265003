"""What goes wrong in a migration leaves everything as it was; what else can be changed by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from migrating import holds, serve, texts, with_weights, write
from opensearchpy import OpenSearch

from opensearch_lsr import QueryEncoder, deploy, migrate
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import first_load
from opensearch_lsr.cluster.alias import filling
from opensearch_lsr.cluster.deployment import MODEL_FIELD
from opensearch_lsr.cluster.handover import block
from opensearch_lsr.cluster.migrate import Changes, abort
from opensearch_lsr.cluster.status import resources
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX

pytestmark = pytest.mark.cluster


def test_what_goes_wrong_leaves_everything_as_it_was(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = texts(60)
    former = serve(client, old, alias, documents).index

    def refuse(one: str, other: str) -> None:
        raise DeploymentError("not good enough")

    with pytest.raises(DeploymentError, match="not good enough"):
        migrate(client, alias, new, before_swap=refuse)
    assert list(client.indices.get_alias(name=alias)) == [former]
    with pytest.raises(DeploymentError, match=f"is taking over {former}; complete that with --from"):
        deploy(client, new, alias=alias, fields=["text"], encode="client")

    def too_long(*arguments: Any) -> None:
        write(client, old, alias, "late", "water")
        put(*arguments)

    put = block.put
    with monkeypatch.context() as slow:
        slow.setattr(block, "put", too_long)
        with pytest.raises(DeploymentError, match="longer than writes may be refused"):
            migrate(client, alias, new, max_block=0)
    assert list(client.indices.get_alias(name=alias)) == [former]
    write(client, old, alias, "accepted", "water")

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("opensearch_lsr.cluster.alias.swap", interrupted)
        with pytest.raises(KeyboardInterrupt):
            migrate(client, alias, new)
    write(client, old, alias, "accepted", "water tea")
    assert any(resource.kind == "migration" for resource in resources(client, alias))
    half = abort(client, alias)
    assert not client.indices.exists(index=half)
    with pytest.raises(DeploymentError, match="no migration is under way"):
        abort(client, alias)
    holds(client, alias, old, documents | {"late": "water", "accepted": "water tea"})
    migrate(client, alias, new)
    holds(client, alias, new, documents | {"late": "water", "accepted": "water tea"})


def test_a_refused_document_is_named_and_copying_goes_on_from_there(
    client: OpenSearch, old: Bundle, new: Bundle, alias: str
) -> None:
    documents = texts(30)
    former = serve(client, old, alias, documents).index

    def harder(one: str, other: str) -> None:
        client.indices.put_mapping(index=other, body={"properties": {"day": {"type": "date"}}})
        client.index(index=one, id="bad", body={"text": "water", "n": 1, "day": "not a day"})

    with pytest.raises(DeploymentError, match=rf"1 documents of {former} were refused \(first: {former}/bad"):
        migrate(client, alias, new, before_swap=harder)
    client.index(index=former, id="bad", body={"text": "water", "n": 1})
    migrate(client, alias, new)
    holds(client, alias, new, documents | {"bad": "water"})


def test_only_the_query_side_changes(client: OpenSearch, old: Bundle, alias: str, tmp_path: Path) -> None:
    former = serve(client, old, alias, texts(20))
    other = with_weights(old, tmp_path / "other", {"water": 1.25})
    done = migrate(client, alias, other)
    assert done.target.index == done.former == former.index
    assert QueryEncoder.from_cluster(client, alias).encode("water") == {"water": 1.25}
    assert not client.exists(index=TOKEN_WEIGHTS_INDEX, id=old.config.query_fingerprint)
    assert not client.indices.exists_alias(name=filling(former.index))


def test_what_is_asked_to_be_otherwise_is(client: OpenSearch, old: Bundle, new: Bundle, alias: str) -> None:
    former = serve(client, old, alias, texts(20), two_phase=True).index
    first_load._begun(client, former)  # a load that is under way, or was killed: its settings are not the index's
    done = migrate(client, alias, new, changes=Changes(encode="cluster", two_phase=False))
    assert (done.target.meta["encode"], done.target.meta["two_phase"]) == ("cluster", False)
    settings = client.indices.get_settings(index=alias, flat_settings=True)[done.target.index]["settings"]
    assert settings["index.auto_expand_replicas"] == "0-1"
    assert "index.refresh_interval" not in settings
    client.index(index=alias, id="plain", body={"text": "water tea", "n": 1}, refresh=True)
    assert client.get(index=alias, id="plain")["_source"][MODEL_FIELD] == new.document_key
    holds(client, alias, new, texts(20) | {"plain": "water tea"})
