"""The alias that applications search: where it points, when it must not be moved, and moving it in one step.

An index that takes over another one's documents is written to through an alias of its own, ``lsr-filling-INDEX``. The
swap takes that away in the same step: it succeeds once, and whoever still writes then writes nowhere.
"""

from __future__ import annotations

from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.indices import existing_meta, lsr_meta
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
    if meta and is_under_way(client, wish.index):
        source = meta["took_over"]["index"]
        raise DeploymentError(
            f"{wish.index}: is taking over {source}; complete that with --from {source} or migrate, "
            f"or give it up with: opensearch-lsr migrate {wish.alias} --abort"
        )
    for holder in found:
        if meta and wish.index in [index for index, _ in lsr_meta(client, holder).get("replaced", [])]:
            raise DeploymentError(
                f"{wish.index}: was replaced by {holder}, and lacks what was written since; "
                f"go back with: opensearch-lsr rollback {wish.alias}"
            )
    if meta and client.count(index=wish.index)["count"]:
        return
    for holder in found:
        if count := client.count(index=holder)["count"]:
            raise DeploymentError(
                f"{wish.alias}: serves {count:,} documents of {holder}, and the new index would be empty; "
                f"take them over with --from {holder}, which is: opensearch-lsr migrate {wish.alias} BUNDLE; "
                "or choose another alias"
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


def filling(index: str) -> str:
    """The alias through which an index is filled."""
    return f"lsr-filling-{index}"


def stopped(index: str) -> str:
    """The alias of an index whose filling was stopped: nothing is written, and no swap succeeds."""
    return f"lsr-stopped-{index}"


def is_under_way(client: OpenSearch, index: str) -> bool:
    """Whether an index was begun to be filled and has not taken its source's place yet."""
    return is_filling(client, index) or bool(client.indices.exists_alias(name=stopped(index)))


def is_filling(client: OpenSearch, index: str) -> bool:
    """Whether the index can be filled at present."""
    return bool(client.indices.exists_alias(name=filling(index)))


def start_filling(client: OpenSearch, index: str) -> None:
    """Open the alias for writing; again, where it was stopped."""
    hidden = {"index": index, "alias": filling(index), "is_hidden": True}
    gone = {"index": index, "alias": stopped(index)}
    client.indices.update_aliases(body={"actions": [{"add": hidden}, {"remove": gone}]})


def stop_filling(client: OpenSearch, index: str) -> bool:
    """Close it; False when it is not open: the index took its source's place, or was stopped before."""
    gone = {"index": index, "alias": filling(index), "must_exist": True}
    hidden = {"index": index, "alias": stopped(index), "is_hidden": True}
    try:
        client.indices.update_aliases(body={"actions": [{"remove": gone}, {"add": hidden}]})
    except NotFoundError:
        return False
    return True


def swap(client: OpenSearch, alias: str, source: str, target: str) -> None:
    """Let the target take the source's place, in one step.

    All aliases of the source move as they are when ``alias`` is one of them; else only that is pointed to the target.

    Raises:
        OpenSearchException: when it did not happen, and then it will not happen later either.
    """
    names: dict[str, dict[str, Any]] = client.indices.get_alias(index=source)[source]["aliases"]
    names = dict(names) if alias in names else {}
    names[alias] = {**names.get(alias, {}), "is_write_index": True}
    actions: list[dict[str, Any]] = [{"remove": {"index": target, "alias": filling(target), "must_exist": True}}]
    for name, definition in names.items():
        leaving = holders(client, name) if name == alias else [source]
        actions += [{"remove": {"index": holder, "alias": name}} for holder in leaving if holder != target]
        actions.append({"add": {"index": target, "alias": name, **definition}})
    try:
        client.indices.update_aliases(body={"actions": actions})
    except BaseException:  # a request without an answer may still be carried out: not once filling is stopped
        if stop_filling(client, target) or holders(client, alias) != [target]:
            raise
