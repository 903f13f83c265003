"""What a deployment needs of a cluster, checked before anything is made; each finding carries its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr.cluster import breakers
from opensearch_lsr.cluster.features import Feature, Needs
from opensearch_lsr.errors import PreflightError

_ML = "plugins.ml_commons."
UPLOAD = _ML + "allow_registering_model_via_local_file"
ML_NODES_ONLY = _ML + "only_run_on_ml_node"
_SET = "set it, or deploy with --change-settings, or with --encode client, which needs no model in the cluster"


@dataclass(frozen=True)
class Finding:
    """One thing that is missing, its remedy, and the cluster setting that mends it, if one does."""

    problem: str
    remedy: str
    setting: tuple[str, object] | None = None

    def __str__(self) -> str:
        return f"{self.problem}: {self.remedy}"


def version(client: OpenSearch) -> tuple[int, int]:
    """(major, minor) of the cluster."""
    number = str(client.info()["version"]["number"])
    major, minor = re.findall(r"\d+", number)[:2]
    return int(major), int(minor)


def check(client: OpenSearch, needs: Needs) -> list[Finding]:
    """Everything the cluster lacks, at once."""
    findings = old_version(client, needs) + missing_plugins(client, needs)
    if Feature.MODELS in needs and not findings:
        settings = cluster_settings(client)
        findings = _upload(settings) + ml_nodes(client, settings) + open_breakers(breakers.read(client, settings))
    return findings


def lacks(client: OpenSearch, needs: Needs) -> str | None:
    """Everything the cluster lacks as one text; None when that is nothing."""
    return ". ".join(map(str, check(client, needs))) or None


def require(client: OpenSearch, needs: Needs, change_settings: bool) -> list[str]:
    """Check, and change the cluster settings that are in the way where that was allowed.

    Returns:
        The settings that were changed, as ``name = value``.

    Raises:
        PreflightError: one line with every finding that is left, each with its remedy.
    """
    findings = check(client, needs)
    changes = dict(finding.setting for finding in findings if finding.setting)
    if changes and change_settings:
        client.cluster.put_settings(body={"persistent": changes})
        findings = check(client, needs)
    if findings:
        raise PreflightError("the cluster is not ready. " + ". ".join(map(str, findings)))
    return [f"{name} = {value}" for name, value in changes.items()]


def require_version(client: OpenSearch, needs: Needs) -> None:
    """Check the version alone, where nothing can be changed; a client that may not see it goes on.

    Raises:
        PreflightError: when it is too old.
    """
    if not needs:
        return
    with suppress(AuthorizationException):
        if findings := old_version(client, needs):
            raise PreflightError(". ".join(map(str, findings)))


def cluster_settings(client: OpenSearch) -> dict[str, Any]:
    """Every setting of the cluster by its full name, as it is in force."""
    flat = client.cluster.get_settings(include_defaults=True, flat_settings=True)
    return dict(flat["defaults"] | flat["persistent"] | flat["transient"])


def ml_nodes(client: OpenSearch, settings: Mapping[str, Any]) -> list[Finding]:
    """Whether there is a node that may run models."""
    roles = [row["node.roles"] for row in client.cat.nodes(format="json", h="node.roles", full_id=True)]
    if str(settings.get(ML_NODES_ONLY, "true")) != "true" or any("ml" in row.split(",") for row in roles):
        return []
    return [Finding(f"{ML_NODES_ONLY} is true and there is no ml node", _SET, (ML_NODES_ONLY, False))]


def open_breakers(found: Iterable[breakers.Breaker]) -> list[Finding]:
    """The breakers that are open, as findings."""
    return [Finding(str(breaker), breaker.remedy) for breaker in found if breaker.open]


def old_version(client: OpenSearch, needs: Needs) -> list[Finding]:
    """What the cluster's version is too old for."""
    found = version(client)
    lacking = (feature for feature in Feature if feature in needs and found < feature.since)
    return [Finding(f"OpenSearch {found[0]}.{found[1]} lacks {one.what}", one.remedy) for one in lacking]


def missing_plugins(client: OpenSearch, needs: Needs) -> list[Finding]:
    """The plugins that are needed and not on every node."""
    rows = client.cat.plugins(format="json", h="name,component")
    nodes = {row["name"] for row in client.cat.nodes(format="json", h="name")}
    findings = []
    for plugin in sorted({feature.plugin for feature in needs}):
        lacking = nodes - {row["name"] for row in rows if row["component"] == plugin}
        if lacking:
            instead = sorted({feature.instead for feature in needs if feature.plugin == plugin})
            remedy = ", or ".join(["install it (opensearch-plugin install)", *(instead if all(instead) else [])])
            findings.append(Finding(f"plugin {plugin} is missing on {', '.join(sorted(lacking))}", remedy))
    return findings


def _upload(settings: Mapping[str, Any]) -> list[Finding]:
    if str(settings.get(UPLOAD, "false")) == "true":
        return []
    return [Finding(f"{UPLOAD} is false", _SET, (UPLOAD, True))]
