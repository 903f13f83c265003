"""One of three nodes is lost, or a primary moves."""

from __future__ import annotations

from commands import Load
from content import texts
from fault import Outcome, World, fault, loaded
from nodes import kill, start_again
from opensearchpy import OpenSearch

from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.local.node import Node


@fault("the node with the primary killed -9, one of three with a replica, while documents are indexed", nodes=3)
def primary_killed(world: World) -> Outcome:
    lost: list[tuple[Node, int]] = []

    def trouble(alias: str, load: Load) -> None:
        with load.paused():
            node = _holder(world, alias)
        lost.append((node, kill(node)))

    outcome = loaded(world, trouble, there=texts(50, 999))  # looked at before that node is back
    for node, port in lost:
        start_again(node, port)
    _settled(world.client)
    return outcome


@fault(
    "the node with the only copy killed -9 during a first load, which has no replicas yet; started again",
    nodes=3,
    short=False,
)
def only_copy_killed(world: World) -> Outcome:
    def trouble(alias: str, load: Load) -> None:
        with load.paused():
            node = _holder(world, alias)
        start_again(node, kill(node))

    outcome = loaded(world, trouble)
    _settled(world.client)
    return outcome


@fault("the primary moves from node to node while documents are indexed", nodes=3, short=False)
def primary_moves(world: World) -> Outcome:
    client = world.client

    def trouble(alias: str, load: Load) -> None:
        index = deployed(client, alias).index
        for _ in range(3):
            copies = client.cat.shards(index=index, format="json", h="prirep,node,state")
            source = next(copy["node"] for copy in copies if copy["prirep"] == "p").split(" ")[0]
            free = [node.name for node in world.nodes if node.name not in str(copies)]
            move = {"index": index, "shard": 0, "from_node": source, "to_node": world.random.choice(free)}
            client.cluster.reroute(body={"commands": [{"move": move}]})
            _settled(client)

    return loaded(world, trouble, there=texts(50, 999))


def _holder(world: World, alias: str) -> Node:
    """The node with the primary. Never the one that clients know: it is moved away from there first."""
    client, index = world.client, deployed(world.client, alias).index
    known = world.nodes[0].name
    client.indices.put_settings(index=index, body={"index.routing.allocation.exclude._name": known})
    _settled(client)
    (primary,) = (one for one in client.cat.shards(index=index, format="json", h="prirep,node") if one["prirep"] == "p")
    return next(node for node in world.nodes if node.name == primary["node"])


def _settled(client: OpenSearch) -> None:
    client.cluster.health(params={"wait_for_no_relocating_shards": "true", "wait_for_events": "languid"})
