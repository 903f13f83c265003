"""What a deployment needs of a cluster, checked before anything is made; each finding carries its remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.errors import PreflightError

_ML = "plugins.ml_commons."
UPLOAD = _ML + "allow_registering_model_via_local_file"
ML_NODES_ONLY = _ML + "only_run_on_ml_node"


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
    findings = _version(version(client), needs) + _plugins(client, needs)
    if needs.models and not findings:
        findings += _settings(client) + _breakers(client)
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


def _version(found: tuple[int, int], needs: Needs) -> list[Finding]:
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


def _plugins(client: OpenSearch, needs: Needs) -> list[Finding]:
    rows = client.cat.plugins(format="json", h="name,component")
    nodes = {row["name"] for row in client.cat.nodes(format="json", h="name")}
    wanted = ["opensearch-neural-search"] + (["opensearch-ml"] if needs.models else [])
    findings = []
    for plugin in wanted:
        lacking = nodes - {row["name"] for row in rows if row["component"] == plugin}
        if lacking:
            findings.append(
                Finding(
                    f"plugin {plugin} is missing on {', '.join(sorted(lacking))}",
                    "install it (opensearch-plugin install)",
                )
            )
    return findings


def _settings(client: OpenSearch) -> list[Finding]:
    flat = client.cluster.get_settings(include_defaults=True, flat_settings=True)
    settings: dict[str, Any] = flat["defaults"] | flat["persistent"] | flat["transient"]
    roles = [row["node.roles"] for row in client.cat.nodes(format="json", h="node.roles", full_id=True)]
    hint = "set it, or deploy with --change-settings, or with --encode client, which needs no model in the cluster"
    findings = []
    if str(settings.get(UPLOAD, "false")) != "true":
        findings.append(Finding(f"{UPLOAD} is false", hint, (UPLOAD, True)))
    if str(settings.get(ML_NODES_ONLY, "true")) == "true" and not any("ml" in row.split(",") for row in roles):
        findings.append(Finding(f"{ML_NODES_ONLY} is true and there is no ml node", hint, (ML_NODES_ONLY, False)))
    return findings


def _breakers(client: OpenSearch) -> list[Finding]:
    """The three ML Commons breakers, which otherwise hide behind other errors."""
    flat = client.cluster.get_settings(include_defaults=True, flat_settings=True)
    settings: dict[str, Any] = flat["defaults"] | flat["persistent"] | flat["transient"]
    native = float(settings.get(_ML + "native_memory_threshold", 90))
    heap = float(settings.get(_ML + "jvm_heap_memory_threshold", 85))
    disk = _bytes(str(settings.get(_ML + "disk_free_space_threshold", "5gb")))
    findings = []
    for node in client.nodes.stats(metric="os,jvm,fs")["nodes"].values():
        name = node["name"]
        used, used_heap = node["os"]["mem"]["used_percent"], node["jvm"]["mem"]["heap_used_percent"]
        free = node["fs"]["total"]["available_in_bytes"]
        if native < 100 and used > native:
            findings.append(
                Finding(
                    f"node {name}: memory {used} % used, breaker at {native:.0f} %",
                    f"free memory or raise {_ML}native_memory_threshold",
                )
            )
        if heap < 100 and used_heap > heap:
            findings.append(
                Finding(f"node {name}: heap {used_heap} % used, breaker at {heap:.0f} %", "give the node a larger heap")
            )
        if disk > 0 and free < disk:
            findings.append(
                Finding(
                    f"node {name}: {free / 1e9:.1f} GB of disk free, breaker at {disk / 1e9:.1f} GB",
                    f"free disk or lower {_ML}disk_free_space_threshold",
                )
            )
    return findings


def _bytes(text: str) -> float:
    found = re.fullmatch(r"(-?[\d.]+)\s*([kmgtp]?)b?", text.strip().lower())
    if not found:  # a percentage, say: not ours to judge
        return 0
    number, unit = found.groups()
    return float(float(number) * 1024 ** " kmgtp".index(unit or " "))
