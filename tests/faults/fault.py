"""What a fault is, where it happens, and what became of a deployment after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

from commands import Command, Load
from content import Content, Texts, look, texts
from opensearchpy import OpenSearch

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError
from opensearch_lsr.local.node import Node

_numbers = count()


@dataclass
class World:
    """Where faults happen: one node or several, which may be killed, two encoders, and chance.

    Attributes:
        nodes: that run; the first is the one that clients know.
        bundle: what is served.
        other: what is migrated to.
        random: decides when and what.
    """

    nodes: Sequence[Node]
    bundle: Bundle
    other: Bundle
    random: Random

    @property
    def url(self) -> str:
        running = self.nodes[0].status()
        assert running
        return running.url

    @property
    def client(self) -> OpenSearch:
        return connect(self.url)

    def bundle_of(self, alias: str) -> Bundle:
        """The encoder behind an alias."""
        fingerprint = deployed(self.client, alias).meta["document_fingerprint"]
        return self.bundle if self.bundle.config.document_fingerprint == fingerprint else self.other


@dataclass(frozen=True)
class Outcome:
    """What a user saw, what the index holds in the end, and the seconds from the fault to then."""

    seen: str
    content: Content
    seconds: float

    def after(self, first: Outcome) -> Outcome:
        """This one, which is what the user saw first."""
        return replace(self, seen=first.seen)


@dataclass(frozen=True)
class Fault:
    """A fault: ``happen`` brings one about. The short form leaves out those that others cover, or that take long."""

    name: str
    title: str
    nodes: int
    short: bool
    happen: Callable[[World], Outcome]


FAULTS: dict[str, Fault] = {}


def fault(
    title: str, nodes: int = 1, short: bool = True
) -> Callable[[Callable[[World], Outcome]], Callable[[World], Outcome]]:
    """Register a function as a fault that needs so many nodes."""

    def register(happen: Callable[[World], Outcome]) -> Callable[[World], Outcome]:
        name = getattr(happen, "__name__", "")
        FAULTS[name] = Fault(name, title, nodes, short, happen)
        return happen

    return register


@contextmanager
def alias_of_its_own(world: World) -> Iterator[str]:
    """An alias; what is deployed behind it is removed, as far as the cluster is there."""
    alias = f"fault-{next(_numbers)}"
    yield alias
    client = world.client
    for index in sorted(client.indices.get(index=f"{alias}-*", expand_wildcards="all"), reverse=True):
        try:
            undeploy(client, index)
        except DeploymentError:
            client.indices.delete(index=index)


@contextmanager
def served(world: World, encode: str = "client", documents: Texts | None = None) -> Iterator[str]:
    """An alias with these documents behind it."""
    with alias_of_its_own(world) as alias:
        deploy(world.client, world.bundle, alias=alias, fields=["text"], encode=encode)
        if documents:
            rows = [Document(one, {"text": text}, "") for one, text in documents.items()]
            bulk.load(world.client, deployed(world.client, alias), rows, DocumentEncoder(world.bundle))
        yield alias


def loading(world: World, url: str, alias: str, encode: str, documents: Texts, **more: Any) -> Load:
    """The load under way."""
    options = ["--encode", encode, "--bundle", str(world.bundle.path)]
    return Load(url, alias, documents, *options, **more)


def loaded(
    world: World,
    trouble: Callable[[str, Load], None],
    *,
    url: str = "",
    encode: str = "client",
    count: int = 2000,
    there: Texts | None = None,
    script: tuple[str, ...] = (),
) -> Outcome:
    """A load in whose middle something happens; where it fails, the same load again.

    Args:
        world: where.
        trouble: brings it about, told the alias and the load.
        url: what the load is told, if not the node.
        encode: by whom.
        count: documents.
        there: documents that are indexed before.
        script: runs the load.
    """
    seed = world.random.randrange(1000)
    documents = texts(count, seed)
    with served(world, encode, there) as alias:
        load = loading(world, url or world.url, alias, encode, documents, script=script)
        load.await_share(world.random.uniform(0.2, 0.6))
        began = time.monotonic()
        trouble(alias, load)
        return ended(
            world, alias, load.end(), (there or {}) | documents, began, lambda: _again(world, alias, encode, documents)
        )


def ended(
    world: World, alias: str, first: Command, expected: Texts, began: float, again: Callable[[], Command]
) -> Outcome:
    """The outcome of a command; where it did not succeed, it is run again, and must."""
    if first.code != 0:
        second = again()
        assert second.code == 0, f"{first.said}\nand again: {second.said}"
    seconds = time.monotonic() - began
    return Outcome(first.seen, look(world.client, alias, world.bundle_of(alias), expected), seconds)


def _again(world: World, alias: str, encode: str, documents: Texts) -> Command:
    return loading(world, world.url, alias, encode, documents, seconds=0.5).end()
