"""The alias that applications search: where it points, when it must not be moved, and moving it in one step."""

from __future__ import annotations

from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.indices import existing_meta
from opensearch_lsr.errors import DeploymentError


def holders(client: OpenSearch, alias: str) -> list[str]:
    """The indices an alias stands for; none when there is no such alias."""
    if not client.indices.exists_alias(name=alias):
        return []
    return sorted(client.indices.get_alias(name=alias, ignore=404))


def serves(client: OpenSearch, wish: Deployment) -> bool:
    """Whether applications see the wish's index already."""
    return holders(client, wish.alias) == [wish.index]


def check(client: OpenSearch, wish: Deployment) -> None:
    """Refuse an alias that cannot be, and a move that would take documents away from applications.

    Raises:
        DeploymentError: with the remedy.
    """
    found = holders(client, wish.alias)
    if not found and client.indices.exists(index=wish.alias):
        raise DeploymentError(
            f"{wish.alias}: is an index, and an alias cannot have its name; choose another --alias"
            f" (with --from {wish.alias} its documents are taken over)"
        )
    if wish.source_index or found == [wish.index]:
        return
    meta = existing_meta(client, wish.index)
    if meta and "copying_from" in meta:
        source = meta["copying_from"]
        raise DeploymentError(f"{wish.index}: taking over {source} was interrupted; complete it with --from {source}")
    if meta and client.count(index=wish.index)["count"]:
        return
    for holder in found:
        if count := client.count(index=holder)["count"]:
            raise DeploymentError(
                f"{wish.alias}: serves {count:,} documents of {holder}, and the new index would be empty; "
                f"take them over with --from {holder}, or choose another alias"
            )


def move_pending(client: OpenSearch, wish: Deployment) -> str | None:
    """What moving the alias would do; None when it points to the wish's index alone."""
    found = holders(client, wish.alias)
    if found == [wish.index]:
        return None
    return f"move from {', '.join(found)} to {wish.index}" if found else f"point to {wish.index}"


def move(client: OpenSearch, wish: Deployment) -> None:
    """Point the alias to the wish's index and to no other, atomically."""
    actions: list[dict[str, Any]] = [
        {"remove": {"index": holder, "alias": wish.alias}}
        for holder in holders(client, wish.alias)
        if holder != wish.index
    ]
    actions.append({"add": {"index": wish.index, "alias": wish.alias, "is_write_index": True}})
    client.indices.update_aliases(body={"actions": actions})
