"""A cluster that is there and refuses: breakers, a full disk, a model that is gone. Brought about by real settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from commands import HERE, Command, Load, repair
from content import texts
from fault import Outcome, World, alias_of_its_own, ended, fault, loaded
from opensearchpy import OpenSearch

from opensearch_lsr.cluster import breakers, models
from opensearch_lsr.cluster.deployed import deployed

PARENT = "indices.breaker.total.limit"
FULL = {  # no disk has so much free
    "cluster.routing.allocation.disk.threshold_enabled": True,
    "cluster.routing.allocation.disk.watermark.low": "9000tb",
    "cluster.routing.allocation.disk.watermark.high": "9000tb",
    "cluster.routing.allocation.disk.watermark.flood_stage": "9000tb",
}
EMPTY = {name: "1mb" for name in FULL if "watermark" in name}
NO_INDICES = "cluster.blocks.create_index"
BLOCK = "index.blocks.read_only_allow_delete"


@fault("429 storm of 5 s while documents are indexed: the node's memory breaker refuses all requests")
def storm(world: World) -> Outcome:
    def trouble(alias: str, load: Load) -> None:
        with settings(world.client, {PARENT: "1%"}):
            time.sleep(5)

    return loaded(world, trouble)


@fault("429 storms of 2 s, every other second, while a deploy uploads and deploys a model")
def storms_at_deploy(world: World) -> Outcome:
    client, documents = world.client, texts(20)
    with alias_of_its_own(world) as alias:
        arguments = ["deploy", str(world.bundle.path), "--alias", alias, "--field", "text"]
        began = time.monotonic()
        first = Command(world.url, *arguments)
        time.sleep(world.random.uniform(0.5, 1.5))
        for _ in range(3):
            with settings(client, {PARENT: "1%"}):
                time.sleep(2)
            time.sleep(world.random.uniform(0.5, 1))
        outcome = ended(world, alias, first.end(), {}, began, lambda: Command(world.url, *arguments).end())
        load = Load(world.url, alias, documents, seconds=0)
        return ended(world, alias, load.end(), documents, began, lambda: load).after(outcome)


@fault("the disk's flood stage makes the index read-only while documents are indexed")
def flood_stage(world: World) -> Outcome:
    client = world.client

    def trouble(alias: str, load: Load) -> None:
        index = deployed(client, alias).index
        with settings(client, FULL):
            with load.paused():  # the cluster looks at its disks every so often
                _wait_for(lambda: _is_read_only(client, index))
            time.sleep(8)
            with settings(client, EMPTY):  # else nobody looks at the disk any more
                _wait_for(lambda: not _is_read_only(client, index) and not _refuses_indices(client))

    return loaded(world, trouble)


@fault("ML Commons' memory breaker opens for 6 s while the cluster encodes documents")
def ml_breaker(world: World) -> Outcome:
    def trouble(alias: str, load: Load) -> None:
        with settings(world.client, {breakers.HEAP: 1}):
            time.sleep(6)

    return loaded(world, trouble, encode="cluster", count=600)


@fault("the model is undeployed under its pipeline; `doctor --repair` some seconds later")
def model_undeployed(world: World) -> Outcome:
    client = world.client

    def trouble(alias: str, load: Load) -> None:
        model = models.usable(client, str(deployed(client, alias).document_model))
        assert model
        client.plugins.ml.undeploy_model(model_id=model.model_id)
        time.sleep(3)
        repair(world.url, alias)

    # what was being encoded is never answered: not waited for as long as usual
    return loaded(world, trouble, encode="cluster", count=600, script=(str(HERE / "patient.py"), "120", "8"))


@contextmanager
def settings(client: OpenSearch, values: dict[str, object]) -> Iterator[None]:
    """Cluster settings for a while; the breaker lets this request through, whatever it is set to."""
    client.cluster.put_settings(body={"persistent": values})
    try:
        yield
    finally:
        client.cluster.put_settings(body={"persistent": dict.fromkeys(values)})


def _refuses_indices(client: OpenSearch) -> bool:
    found = client.cluster.get_settings(flat_settings=True)
    return any(values.get(NO_INDICES) == "true" for values in found.values())


def _is_read_only(client: OpenSearch, index: str) -> bool:
    found = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    return bool(found.get(BLOCK) == "true")


def _wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)
