"""The client is killed, with ``kill -9``, at any of its requests, and run again."""

from __future__ import annotations

import time

from commands import KILLED, Command, Load
from content import texts
from fault import Outcome, World, alias_of_its_own, ended, fault, served


@fault("`index` killed -9 at one of its requests")
def index_killed(world: World) -> Outcome:
    documents = texts(400, world.random.randrange(1000))
    with served(world) as alias:
        options = ["--encode", "client", "--bundle", str(world.bundle.path)]
        began = time.monotonic()
        first = Load(world.url, alias, documents, *options, seconds=0, script=_killed(world, 40)).end()
        again = lambda: Load(world.url, alias, documents, *options, seconds=0).end()  # noqa: E731
        return ended(world, alias, first, documents, began, again)


@fault("`deploy` killed -9 before one of its changes", short=False)
def deploy_killed(world: World) -> Outcome:
    documents, bundle = texts(20), str(world.bundle.path)
    with alias_of_its_own(world) as alias:
        began = time.monotonic()
        number = str(world.random.randrange(1, 20))
        first = Command(world.url, world.url, bundle, alias, number, script=(str(KILLED / "killed_deploy.py"),)).end()
        arguments = ["deploy", bundle, "--alias", alias, "--field", "title", "--field", "text", "--query-mode", "model"]
        outcome = ended(world, alias, first, {}, began, lambda: Command(world.url, *arguments).end())
        load = Load(world.url, alias, documents, seconds=0)
        return ended(world, alias, load.end(), documents, began, lambda: load).after(outcome)


@fault("`migrate` killed -9 at one of its requests", short=False)
def migrate_killed(world: World) -> Outcome:
    documents = texts(200, world.random.randrange(1000))
    with served(world, documents=documents) as alias:
        began = time.monotonic()
        arguments = ["migrate", alias, str(world.other.path)]
        first = Command(world.url, *arguments, script=_killed(world, 120)).end()
        return ended(world, alias, first, documents, began, lambda: Command(world.url, *arguments).end())


def _killed(world: World, requests: int) -> tuple[str, ...]:
    moment, number = world.random.choice(["before", "after"]), str(world.random.randrange(1, requests))
    return (str(KILLED / "killed_migrate.py"), moment, number, ".", "SIGKILL")
