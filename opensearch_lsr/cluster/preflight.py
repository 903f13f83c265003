"""What a deployment needs of a cluster, checked before anything is made; each finding carries its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import breakers
from opensearch_lsr.errors import PreflightError

PLUGINS = ("opensearch-neural-search", "opensearch-ml")  # the second where models run in the cluster
_ML = "plugins.ml_commons."
UPLOAD = _ML + "allow_registering_model_via_local_file"
ML_NODES_ONLY = _ML + "only_run_on_ml_node"
_SET = "set it, or deploy with --change-settings, or with --encode client, which needs no model in the cluster"


@dataclass(frozen=True)
class Needs:
    """What will be deployed, as far as the cluster must support it."""

    models: bool  # ML Commons runs a model: cluster encoding, or the `model` query mode
    analyzer: bool  # the `analyzer` query mode
    two_phase: bool
    prune: bool = False


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
    if needs.models and not findings:
        settings = cluster_settings(client)
        findings = _upload(settings) + ml_nodes(client, settings) + open_breakers(breakers.read(client, settings))
    return findings


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
    wanted = {(2, 14): "neural_sparse with query_tokens"}
    if needs.two_phase:
        wanted[2, 15] = "two-phase search"
    if needs.prune:
        wanted[2, 19] = "pruning in the ingest pipeline"
    if needs.analyzer:
        wanted[3, 1] = "the analyzer query mode"
    return [
        Finding(f"OpenSearch {found[0]}.{found[1]} lacks {what}", f"upgrade to {at_least[0]}.{at_least[1]} or later")
        for at_least, what in wanted.items()
        if found < at_least
    ]


def missing_plugins(client: OpenSearch, needs: Needs) -> list[Finding]:
    """The plugins that are needed and not on every node."""
    rows = client.cat.plugins(format="json", h="name,component")
    nodes = {row["name"] for row in client.cat.nodes(format="json", h="name")}
    findings = []
    for plugin in PLUGINS if needs.models else PLUGINS[:1]:
        lacking = nodes - {row["name"] for row in rows if row["component"] == plugin}
        if lacking:
            findings.append(
                Finding(
                    f"plugin {plugin} is missing on {', '.join(sorted(lacking))}",
                    "install it (opensearch-plugin install)",
                )
            )
    return findings


def _upload(settings: Mapping[str, Any]) -> list[Finding]:
    if str(settings.get(UPLOAD, "false")) == "true":
        return []
    return [Finding(f"{UPLOAD} is false", _SET, (UPLOAD, True))]
