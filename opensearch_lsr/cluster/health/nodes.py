"""The cluster itself: versions, plugins, settings, and ML Commons' breakers with their numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import breakers, preflight
from opensearch_lsr.cluster.features import ML_COMMONS, NEURAL_SEARCH, Feature, Needs
from opensearch_lsr.cluster.health.check import Check
from opensearch_lsr.cluster.preflight import ML_NODES_ONLY, Finding
from opensearch_lsr.query_encoder import MAX_CLAUSES

LOOKS, PAUSE = 3, 1.0  # at a heap that is too full, and seconds between
_PLUGINS = (NEURAL_SEARCH, ML_COMMONS)
_CLAUSES = "indices.query.bool.max_clause_count"


def versions(client: OpenSearch, needs: Needs) -> Iterator[Check]:
    """The version of every node: one, and new enough; and what it lacks of all that this package can use."""
    by_node = {row["name"]: row["version"] for row in client.cat.nodes(format="json", h="name,version")}
    found = sorted(set(by_node.values()))
    findings = preflight.old_version(client, needs)
    if len(found) > 1:
        nodes = ", ".join(f"{node} {version}" for node, version in sorted(by_node.items()))
        findings.append(Finding(f"the nodes run different versions: {nodes}", "finish the upgrade"))
    seen = f"OpenSearch {', '.join(found)} on {_nodes(len(by_node))}"
    version = preflight.version(client)
    if lacking := [f"{one.what} ({one.state(version)})" for one in Feature if version < one.since]:
        seen += f"; lacks {', '.join(lacking)}"
    states = {feature.name.lower(): feature.state(version) for feature in Feature}
    yield Check("version", seen, findings, {"nodes": by_node, "features": states})


def plugins(client: OpenSearch, needs: Needs) -> Iterator[Check]:
    """The plugins a deployment needs, on every node."""
    rows = client.cat.plugins(format="json", h="component,version")
    found = sorted({(row["component"], row["version"]) for row in rows if row["component"] in _PLUGINS})
    seen = ", ".join(f"{plugin} {version}" for plugin, version in found) or "none of those needed"
    yield Check("plugins", seen, preflight.missing_plugins(client, needs), {"plugins": dict(found)})


def settings(client: OpenSearch, needs: Needs) -> Iterator[Check]:
    """Where models may run, and how many tokens a query may have."""
    in_force = preflight.cluster_settings(client)
    clauses = int(in_force.get(_CLAUSES, MAX_CLAUSES))
    findings = preflight.ml_nodes(client, in_force) if Feature.MODELS in needs else []
    if clauses < MAX_CLAUSES:
        findings.append(
            Finding(f"{_CLAUSES} is {clauses}: longer queries are refused", f"set it to {MAX_CLAUSES} or more")
        )
    numbers: dict[str, Any] = {_CLAUSES: clauses}
    seen = f"queries of up to {clauses:,} tokens"
    if Feature.MODELS in needs:
        numbers[ML_NODES_ONLY] = only = str(in_force.get(ML_NODES_ONLY, "true")) == "true"
        seen = f"models run on {'ml nodes' if only else 'every data node'}; {seen}"
    yield Check("settings", seen, findings, numbers)


def open_breakers(client: OpenSearch, needs: Needs) -> Iterator[Check]:
    """The breakers: the fullest heap, the fullest disk, and how often one tripped."""
    if Feature.MODELS not in needs:
        yield Check("breakers", "no model is needed in the cluster")
        return
    found = _settled(client)
    heap = max((one for one in found if one.kind == "heap"), key=lambda one: one.value)
    disk = min((one for one in found if one.kind == "disk"), key=lambda one: one.value)
    stats = client.transport.perform_request("GET", "/_plugins/_ml/stats/ml_circuit_breaker_trigger_count")
    trips = sum(node.get("ml_circuit_breaker_trigger_count", 0) for node in stats.get("nodes", {}).values())
    seen = f"{heap.seen}; {disk.seen}" + (f"; tripped {trips:,} times since the nodes started" if trips else "")
    numbers = {"breakers": [asdict(breaker) for breaker in found], "trips": trips}
    yield Check("breakers", seen, preflight.open_breakers(found), numbers)


def _settled(client: OpenSearch) -> list[breakers.Breaker]:
    """The breakers; a heap that is too full is looked at again, since it may be collected meanwhile."""
    in_force = preflight.cluster_settings(client)
    for _ in range(LOOKS - 1):
        found = list(breakers.read(client, in_force))
        if not any(one.open and one.kind == "heap" for one in found):
            return found
        time.sleep(PAUSE)
    return list(breakers.read(client, in_force))


def _nodes(count: int) -> str:
    return f"{count} node" + "s" * (count != 1)
