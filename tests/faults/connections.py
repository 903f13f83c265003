"""Connections that break, and answers that are slow, lost or another's: by a proxy before a real node."""

from __future__ import annotations

import time
from collections.abc import Callable

from commands import Command, Load
from content import texts
from fault import Outcome, World, alias_of_its_own, ended, fault, loaded, served
from proxy import FINE, Proxy, Request, Trouble

Choose = Callable[[Request], Trouble]
_READS = ("_search", "_count", "_refresh", "_msearch")


@fault("connections reset while documents are indexed, before or in the middle of requests")
def requests_cut(world: World) -> Outcome:
    return _loaded_through(world, lambda request: _some(world, 0.3, "cut", "half"))


@fault("connections reset while documents are indexed, before or in the middle of answers")
def answers_lost(world: World) -> Outcome:
    return _loaded_through(world, lambda request: _some(world, 0.3, "lost", "torn"))


@fault("slow answers, up to 3 s, while documents are indexed", short=False)
def slow_answers(world: World) -> Outcome:
    slow = lambda request: Trouble(seconds=world.random.uniform(0, 3) if world.random.random() < 0.5 else 0)  # noqa: E731
    return _loaded_through(world, slow)


@fault("503 to everything for 4 s while documents are indexed, as a proxy without a node answers")
def unavailable(world: World) -> Outcome:
    return _for_a_while(world, Trouble(status=503))


@fault("429 to everything for 4 s while documents are indexed, as a service's limit on requests answers", short=False)
def limited(world: World) -> Outcome:
    return _for_a_while(world, Trouble(status=429))


@fault("a connection reset at one of the changes that a deploy makes")
def deploy_cut(world: World) -> Outcome:
    kind = world.random.choice(["cut", "half", "lost", "torn"])
    return deployed_through(world, kind, world.random.randrange(1, 12))


@fault("connections reset while an encoder is exchanged")
def migrate_cut(world: World) -> Outcome:
    documents = texts(600, world.random.randrange(1000))
    with served(world, documents=documents) as alias:
        with Proxy(world.url, lambda request: _some(world, 0.15, "cut", "half", "lost", "torn")) as proxy:
            began = time.monotonic()
            first = Command(proxy.url, "migrate", alias, str(world.other.path)).end()
        again = lambda: Command(world.url, "migrate", alias, str(world.other.path)).end()  # noqa: E731
        return ended(world, alias, first, documents, began, again)


def deployed_through(world: World, kind: str, number: int) -> Outcome:
    """A deploy whose ``number``-th change meets trouble; what is deployed must then index."""
    changes = 0

    def at_change(request: Request) -> Trouble:
        nonlocal changes
        reads = request.method in ("GET", "HEAD") or request.path.partition("?")[0].endswith(_READS)
        changes += not reads
        return Trouble(kind) if not reads and changes == number else FINE

    documents = texts(20)
    with alias_of_its_own(world) as alias:
        arguments = ["deploy", str(world.bundle.path), "--alias", alias, "--field", "text"]
        with Proxy(world.url, at_change) as proxy:
            began = time.monotonic()
            first = Command(proxy.url, *arguments).end()
        outcome = ended(world, alias, first, {}, began, lambda: Command(world.url, *arguments).end())
        assert outcome.content.right, outcome.content
        load = Load(world.url, alias, documents, seconds=0)
        return ended(world, alias, load.end(), documents, began, lambda: load).after(outcome)


def _loaded_through(world: World, choose: Choose) -> Outcome:
    with Proxy(world.url, choose) as proxy:
        outcome = loaded(world, lambda alias, load: None, url=proxy.url)
        assert proxy.troubled
        return outcome


def _for_a_while(world: World, trouble: Trouble) -> Outcome:
    until = 0.0

    def begin(alias: str, load: Load) -> None:
        nonlocal until
        until = time.monotonic() + 4

    with Proxy(world.url, lambda request: trouble if time.monotonic() < until else FINE) as proxy:
        outcome = loaded(world, begin, url=proxy.url)
        assert proxy.troubled
        return outcome


def _some(world: World, share: float, *kinds: str) -> Trouble:
    return Trouble(world.random.choice(kinds)) if world.random.random() < share else FINE
