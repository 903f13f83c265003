"""A bundle behind an alias, by one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.plan import Plan
from opensearch_lsr.cluster.presets import EXACT, PRESETS
from opensearch_lsr.errors import InputError


def deploy(
    client: OpenSearch,
    bundle: Bundle | str | Path = "default",
    *,
    alias: str,
    fields: Sequence[str],
    preset: str = EXACT,
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
        preset: ``exact``, ``balanced`` or ``fast``, see :data:`~opensearch_lsr.cluster.presets.PRESETS`.
        change_settings: allow preflight to change cluster settings that are in the way.
        on_step: called with a step's title and what it does, before it is done.
        options: the further attributes of :class:`~opensearch_lsr.cluster.deployment.Deployment`; they go over the
            preset's.

    Returns:
        What the alias now serves.

    Raises:
        InputError: for a preset or options that do not exist, or do not go together.
        BundleError: when the bundle is damaged.
        PreflightError: when the cluster lacks something; nothing was made.
        DeploymentError: when what is there does not fit what is asked; nothing of it was changed.
    """
    if preset not in PRESETS:
        raise InputError(f"preset {preset!r}: it is one of {', '.join(PRESETS)}")
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    plan = Plan(client, Deployment(opened, alias, tuple(fields), **PRESETS[preset] | options))
    plan.preflight(change_settings)
    for step, action in plan.pending():
        on_step(step.title, action)
        step.apply()
    return deployed(client, alias)
