"""What a first load set aside: an index that a killed one left without refreshes and replicas."""

from __future__ import annotations

from collections.abc import Iterator

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import first_load
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.health.check import Check
from opensearch_lsr.cluster.preflight import Finding


def of_loading(client: OpenSearch, target: Deployed, repair: bool) -> Iterator[Check]:
    """Whether refreshes and replicas are as they were before the index was filled.

    Args:
        client: the cluster.
        target: the deployment.
        repair: restore them. A load that is under way then goes on, slower.
    """
    what, before = "refreshes and replicas", first_load.left_behind(client, target.index)
    if before is None:
        yield Check(what, "as they were set")
    elif repair:
        first_load.restore(client, target.index)
        yield Check(what, "restored just now", (), {"set_aside": before, "repaired": True})
    else:
        problem = f"{target.index}: a first load is under way, or was killed: no refreshes, so that what is written is "
        problem += "not found, and no replicas"
        remedy = f"when no load is running: opensearch-lsr doctor --alias {target.alias} --repair"
        yield Check(what, "set aside by a load", [Finding(problem, remedy)], {"set_aside": before, "repaired": False})
