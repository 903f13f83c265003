"""Is there room on the cluster's disks for what is built next? Asked before, not told by a full disk after hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, NotFoundError

from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.systems import SYSTEMS


def check(context: Context, names: Iterable[str], before: Iterable[Mapping[str, Any]]) -> None:
    """Extrapolate from what was built before, with room for merging: one index at a time, beside its old segments.

    Args:
        context: of the indices to be built.
        names: systems whose indices these are.
        before: the same systems' rows of the results on fewer documents; without any nothing is checked.

    Raises:
        ClusterError: when the nodes have less left than is needed.
    """
    indices = _by_storage(context, set(names), before).values()
    a_document, merging = sum(indices), max(indices, default=0)
    needed, left = (a_document + merging) * context.documents, free(context.client)
    if left is not None and needed > left:
        raise ClusterError(
            f"{context.collection}: its indices need about {needed / 1e9:.1f} GB while they are merged "
            f"({a_document:,.0f} bytes a document before); the nodes' disks have {left / 1e9:.1f} GB left: "
            "make room, or leave this size out"
        )


def free(client: OpenSearch) -> int | None:
    """Bytes left on the disks of all nodes; None where one may not ask."""
    try:
        nodes = client.nodes.stats(metric="fs")["nodes"].values()
    except (AuthorizationException, NotFoundError):
        return None
    found = [node.get("fs", {}).get("total", {}).get("available_in_bytes") for node in nodes]
    return sum(found) if found and None not in found else None


def _by_storage(context: Context, names: set[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Bytes a document of each index; some systems share one."""
    return {
        SYSTEMS[row["name"]](context).storage.name: row["index_bytes"] / row["documents"]
        for row in rows
        if row["name"] in names and row.get("index_bytes") and row.get("documents")
    }
