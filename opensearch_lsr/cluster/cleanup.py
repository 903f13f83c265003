"""What migrations left that nothing uses any more: replaced indices and all that was theirs, uploads without a use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import indices, models
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.handover.record import REPLACED, under_way
from opensearch_lsr.cluster.status import Removal, needed_models, removals_of
from opensearch_lsr.errors import DeploymentError

UNTOUCHED = "1h"  # a model that nothing uses may be of a deployment that is not done yet


def unused(client: OpenSearch, alias: str) -> list[Removal]:
    """What can go without anybody missing it, in the order of taking it away.

    Replaced indices of the alias with their pipelines, models and token weights, as far as no deployment uses them;
    pipelines of the alias whose index never came; models of this package that no deployment uses and that were not
    touched for an hour. An index that has an alias again stays.

    Raises:
        DeploymentError: when the alias is not this package's, or is being migrated.
    """
    current = deployed(client, alias)
    if found := under_way(client, alias):
        raise DeploymentError(
            f"{alias}: {found[0]} is taking over {found[1].index}; complete that, or give it up with: "
            f"opensearch-lsr migrate {alias} --abort"
        )
    listed = list(removals_of(client, list(_replaced(client, current))))
    taken = {removal.name for removal in listed}
    needed = needed_models(client) | taken
    listed += [
        Removal("model", model.name, partial(models.remove, client, model))
        for model in models.untouched(client, UNTOUCHED)
        if model.name not in needed
    ]
    return listed + [removal for removal in _pipelines(client, alias) if removal.name not in taken]


def _replaced(client: OpenSearch, current: Deployed) -> Iterator[Deployed]:
    for index, uuid in current.meta.get(REPLACED, []):
        found = client.indices.get(index=index, ignore=404).get(index)
        if found and not found["aliases"] and found["settings"]["index"]["uuid"] == uuid:
            yield Deployed("", index, indices.lsr_meta(client, index))


def _pipelines(client: OpenSearch, alias: str) -> Iterator[Removal]:
    """Of a deployment that was killed before it made its index."""
    mine = re.compile(rf"lsr-({re.escape(alias)}-[0-9a-f]{{8}})(-search)?")
    for kind in ("ingest", "search"):
        for name in client.transport.perform_request("GET", f"/_{kind}/pipeline", params={"ignore": 404}):
            found = mine.fullmatch(name)
            if found and not client.indices.exists(index=found[1]):
                path = f"/_{kind}/pipeline/{name}"
                yield Removal(f"{kind} pipeline", name, partial(client.transport.perform_request, "DELETE", path))
