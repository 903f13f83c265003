"""Another encoder behind an alias, without downtime: a plan whose documents come from what the alias serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import alias as aliases
from opensearch_lsr.cluster import chunks, indices, status
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.handover import block, stragglers
from opensearch_lsr.cluster.handover.handover import MAX_BLOCK, Outcome, Terms
from opensearch_lsr.cluster.handover.record import Record, under_way
from opensearch_lsr.cluster.plan import Plan
from opensearch_lsr.errors import DeploymentError, InputError
from opensearch_lsr.sparse_vector import Prune

OnStep = Callable[[str, str], None]
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Changes:
    """What is to be otherwise than the alias is deployed now; None: as it is."""

    encode: str | None = None
    query_mode: str | None = None
    two_phase: bool | None = None
    prune: Prune | None = None


@dataclass(frozen=True)
class Migrated:
    """What an alias serves now, the index that it served before, and what was done."""

    target: Deployed
    former: str
    outcome: Outcome


def migrate(
    client: OpenSearch,
    alias: str,
    bundle: Bundle | str | Path = "default",
    *,
    changes: Changes | None = None,
    documents: str | None = None,
    before_swap: Callable[[str, str], None] | None = None,
    max_block: float = MAX_BLOCK,
    change_settings: bool = False,
    on_step: OnStep = lambda title, action: None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Migrated:
    """Put another encoder behind an alias while it is searched and written to.

    The documents are encoded anew into a new index, what is written meanwhile is caught up, and the alias moves in one
    step; the old index stays, for :func:`~opensearch_lsr.cluster.rollback.rollback`. Killed and run again, it goes on
    where it was. Where only the query side differs, that is replaced and no document touched.

    Args:
        client: the cluster.
        alias: what applications search and write to.
        bundle: an opened bundle, or its folder, Hub name, or ``"default"``.
        changes: what else is to be otherwise.
        documents: a file with the documents, where the index does not keep them in ``_source``.
        before_swap: called with the old and the new index when that is complete; what it raises leaves the alias where
            it is.
        max_block: seconds for which writes may be refused in the end.
        change_settings: allow preflight to change cluster settings that are in the way.
        on_step: called with a step's title and what it does, before it is done.
        on_progress: called with (what, done, total).

    Raises:
        BundleError: when the bundle is damaged.
        PreflightError: when the cluster lacks something; nothing was made.
        DeploymentError: when what is there does not fit, or a document is refused; the alias is where it was, and
            writes are accepted.
    """
    former = deployed(client, alias).index
    plan = plan_migration(client, alias, bundle, changes, Terms(documents, before_swap, max_block), on_progress)
    plan.preflight(change_settings)
    for step, action in plan.pending():
        on_step(step.title, action)
        step.apply()
    outcome = plan.handover.outcome if plan.wish.source_index else Outcome()
    target = deployed(client, alias)
    stragglers.settle(client, target)  # when a run was killed after the swap, no step does
    return Migrated(target, former, outcome)


def plan_migration(
    client: OpenSearch,
    alias: str,
    bundle: Bundle | str | Path,
    changes: Changes | None = None,
    terms: Terms | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Plan:
    """The steps of :func:`migrate`.

    Raises:
        DeploymentError: when the alias is not this package's, or is being migrated to another encoder.
    """
    current, opened = deployed(client, alias), bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    changes = changes or Changes()
    by_model = opened.config.query == "encoder"  # its queries have one mode
    kept: Mapping[str, Any] = {"query_mode": "tokens", "two_phase": False} if by_model else current.meta
    wish = Deployment(
        opened,
        alias,
        tuple(current.fields),
        encode=changes.encode or current.meta["encode"],
        query_mode=changes.query_mode or kept["query_mode"],
        two_phase=kept["two_phase"] if changes.two_phase is None else changes.two_phase,
        prune=changes.prune or current.prune,
        prune_query=None if by_model else current.prune_query,
        two_step=not by_model and current.two_step,
        chunk=current.chunk and min(current.chunk, chunks.longest(opened)),
        source_index=current.index,
    )
    check_free(client, alias, wish.index)
    if wish.index == current.index:
        if terms and terms.documents:
            raise InputError(f"{alias}: its documents are of this encoder already; leave out --documents")
        wish = replace(wish, source_index=None)
    return Plan(client, wish, on_progress, terms)


def check_free(client: OpenSearch, alias: str, target: str) -> None:
    """Refuse a second migration beside one that is under way."""
    found = under_way(client, alias)
    if found and found[0] != target:
        raise DeploymentError(
            f"{alias}: {found[0]} is taking over {found[1].index}; complete that, or give it up with: "
            f"opensearch-lsr migrate {alias} --abort"
        )


def abort(client: OpenSearch, alias: str) -> str:
    """Give up a migration or rollback that is under way: writes are accepted again, and what it made is removed.

    Returns:
        The index that will not take over.

    Raises:
        DeploymentError: when none is under way.
    """
    found = under_way(client, alias)
    if found is None:
        raise DeploymentError(f"{alias}: no migration is under way")
    target, record = found
    # first, so that a run that still goes on does not swap after this
    if not aliases.stop_filling(client, target) and not aliases.is_under_way(client, target):
        raise DeploymentError(f"{alias}: {target} took over just now; go back with: opensearch-lsr rollback {alias}")
    there = client.indices.exists(index=record.index)
    if there and record.blocked:
        block.lift(client, record.index)
    its = Record.of(indices.lsr_meta(client, record.index)) if there else None
    if its and its.is_of(target, indices.uuid(client, target)):  # a rollback: replaced it remains
        block.put(client, target)
        client.indices.delete_alias(index=target, name=aliases.stopped(target))
    else:
        status.undeploy(client, target)
    return target
