"""The only node is killed, with ``kill -9``, and started again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from commands import HERE, TIMEOUT, Command, Load, repair
from content import texts
from fault import Outcome, World, alias_of_its_own, ended, fault, loaded, served
from nodes import kill, start_again
from proxy import FINE, Proxy, Request, Trouble


@fault("the only node killed -9 while documents are indexed, and started again")
def node_killed(world: World) -> Outcome:
    def trouble(alias: str, load: Load) -> None:
        start_again(world.nodes[0], kill(world.nodes[0]))

    return loaded(world, trouble, there=texts(50, 999))


@fault("the only node killed -9 while it encodes documents; started again, and `doctor --repair`", short=False)
def encoding_node_killed(world: World) -> Outcome:
    def trouble(alias: str, load: Load) -> None:
        start_again(world.nodes[0], kill(world.nodes[0]))
        repair(world.url, alias)

    return loaded(world, trouble, encode="cluster", count=600)


@fault("the only node killed -9 while documents are indexed, and started when the client has given up", short=False)
def node_away(world: World) -> Outcome:
    documents = texts(2000, world.random.randrange(1000))
    with served(world) as alias:
        arguments = ["--encode", "client", "--bundle", str(world.bundle.path)]
        url = world.url
        load = Load(url, alias, documents, *arguments, script=(str(HERE / "patient.py"), "4", "300"))
        load.await_share(world.random.uniform(0.2, 0.6))
        began = time.monotonic()
        port = kill(world.nodes[0])
        load.end()
        assert load.code == 1
        start_again(world.nodes[0], port)
        return ended(world, alias, load, documents, began, lambda: Load(url, alias, documents, *arguments).end())


@fault("the only node killed -9 at a random moment of a deploy, and started again", short=False)
def node_killed_at_deploy(world: World) -> Outcome:
    return _deployed(world, lambda path: True, world.random.uniform(0, 3))


@fault("the only node killed -9 while it deploys a model, which it then has forgotten, and started again")
def node_killed_deploying(world: World) -> Outcome:
    return _deployed(world, lambda path: path.endswith("/_deploy"), world.random.uniform(0, 0.3))


def _deployed(world: World, at: Callable[[str], bool], seconds: float) -> Outcome:
    """A deploy whose node is killed some seconds after such a request, then an index of a few documents."""
    documents, reached = texts(20), threading.Event()

    def notice(request: Request) -> Trouble:
        if at(request.path):
            reached.set()
        return FINE

    with alias_of_its_own(world) as alias, Proxy(world.url, notice) as proxy:
        arguments = ["deploy", str(world.bundle.path), "--alias", alias, "--field", "text"]
        first = Command(proxy.url, *arguments)
        assert reached.wait(TIMEOUT)
        time.sleep(seconds)
        began = time.monotonic()
        start_again(world.nodes[0], kill(world.nodes[0]))
        if first.end().code == 0:  # done before, perhaps: then the model is on no node now
            repair(world.url, alias)
        outcome = ended(world, alias, first, {}, began, lambda: Command(world.url, *arguments).end())
        load = Load(world.url, alias, documents, seconds=0)
        return ended(world, alias, load.end(), documents, began, lambda: load).after(outcome)
