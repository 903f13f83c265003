"""Back to the index that an alias served before: a handover in the other direction, from where both were alike."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import bulk, indices, models, status
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.handover import stragglers
from opensearch_lsr.cluster.handover.handover import MAX_BLOCK, Handover, Outcome, Terms
from opensearch_lsr.cluster.handover.record import Record
from opensearch_lsr.cluster.migrate import Migrated, OnProgress, check_free
from opensearch_lsr.errors import DeploymentError


def rollback(
    client: OpenSearch,
    alias: str,
    bundle: str | Path = "default",
    *,
    max_block: float = MAX_BLOCK,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Migrated:
    """Undo a migration: the alias moves back, with what was written since. A second one undoes the first.

    Args:
        client: the cluster.
        alias: what was migrated.
        bundle: of the index to go back to; needed where clients encode and something was written since.
        max_block: seconds for which writes may be refused in the end.
        on_progress: called with (what, done, total).

    Raises:
        DeploymentError: when there is nothing to go back to, or something that it needs is gone; the alias is where it
            was, and writes are accepted.
    """
    current = deployed(client, alias)
    record = stragglers.unsettled(client, current)
    if record and record.back:  # a rollback was killed after the swap
        stragglers.settle(client, current)
        return Migrated(current, record.index, Outcome())
    former = _former(client, current)
    check_free(client, alias, former.index)
    _check_whole(client, former)
    encoder = partial(bulk.document_encoder, former, str(bundle)) if former.meta["encode"] == "client" else None
    terms = Terms(max_block=max_block)
    handover = Handover(client, current.index, former, encoder, terms, on_progress)
    handover.fill()
    handover.finish()
    stragglers.settle(client, former)
    return Migrated(former, current.index, handover.outcome)


def _former(client: OpenSearch, current: Deployed) -> Deployed:
    record = Record.of(current.meta)
    if record is None:
        raise DeploymentError(f"{current.alias}: {current.index} has replaced nothing, there is nothing to go back to")
    if not client.indices.exists(index=record.index) or indices.uuid(client, record.index) != record.uuid:
        raise DeploymentError(
            f"{current.alias}: {record.index} is gone; migrate to its bundle instead: "
            f"opensearch-lsr migrate {current.alias} BUNDLE"
        )
    former = deployed(client, record.index)
    return Deployed(current.alias, former.index, former.meta)


def _check_whole(client: OpenSearch, former: Deployed) -> None:
    """What the index needs must be there; models that stopped are started."""
    for resource in status.resources(client, former.index):
        if resource.state == "missing":
            raise DeploymentError(
                f"{former.index}: its {resource.kind} {resource.name} is gone; make it again and go back with: "
                f"opensearch-lsr migrate {former.alias} BUNDLE"
            )
    for name, needed in former.models.items():
        model = models.usable(client, name) if needed else None
        if model and model.state != "DEPLOYED":
            models.deploy(client, model)
