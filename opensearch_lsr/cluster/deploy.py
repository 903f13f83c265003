"""A bundle behind an alias, by one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.deployment import Deployed, Deployment, deployed
from opensearch_lsr.cluster.plan import Plan


def deploy(
    client: OpenSearch,
    bundle: Bundle | str | Path = "default",
    *,
    alias: str,
    fields: Sequence[str],
    change_settings: bool = False,
    on_step: Callable[[str, str], None] = lambda title, action: None,
    **options: Any,
) -> Deployed:
    """Put an encoder behind an alias; what is there already is kept, what is missing is made.

    Args:
        client: the cluster.
        bundle: an opened bundle, or its folder, Hub name, or ``"default"``.
        alias: what applications search.
        fields: the text fields to encode together, in order.
        change_settings: allow preflight to change cluster settings that are in the way.
        on_step: called with a step's title and what it does, before it is done.
        options: the further attributes of :class:`~opensearch_lsr.cluster.deployment.Deployment`.

    Returns:
        What the alias now serves.

    Raises:
        BundleError: when the bundle is damaged.
        PreflightError: when the cluster lacks something; nothing was made.
        DeploymentError: when what is there does not fit what is asked; nothing of it was changed.
    """
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    plan = Plan(client, Deployment(opened, alias, tuple(fields), **options))
    plan.preflight(change_settings)
    for step, action in plan.pending():
        on_step(step.title, action)
        step.apply()
    return deployed(client, alias)
