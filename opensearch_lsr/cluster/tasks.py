"""ML Commons tasks: what registering and deploying a model are while they go on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.errors import ClusterError

_SUSPICIOUS_AFTER = 5.0  # seconds


def wait(client: OpenSearch, task_id: str, doing: str, deadline: float) -> bool:
    """Poll an ML Commons task until it ends, or ``time.monotonic()`` is the deadline.

    Returns:
        Whether it was completed; False when a node was restarted and has forgotten it: nobody ends it then.

    Raises:
        ClusterError: with the task's own error when it failed, or when time ran out.
    """
    suspicious = time.monotonic() + _SUSPICIOUS_AFTER
    while time.monotonic() < deadline:
        task: dict[str, Any] = client.plugins.ml.get_task(task_id=task_id)
        if task["state"] == "COMPLETED":
            return True
        if task["state"] not in ("CREATED", "RUNNING"):
            raise ClusterError(f"{doing}: {task['state']}: {error(task)}")
        if time.monotonic() > suspicious:
            if _is_forgotten(client, task):
                return False
            suspicious = time.monotonic() + _SUSPICIOUS_AFTER
        time.sleep(0.3)
    raise ClusterError(f"{doing}: not done in time (task {task_id}); look at the node's log, then run it again")


def _is_forgotten(client: OpenSearch, task: Mapping[str, Any]) -> bool:
    """Whether one of a task's nodes is gone, or was started after it."""
    workers = task.get("worker_node") or []
    nodes = client.nodes.info(node_id=workers, metric="jvm")["nodes"] if workers else {}
    return any(
        node not in nodes or nodes[node]["jvm"]["start_time_in_millis"] > task["create_time"] for node in workers
    )


def error(task: Mapping[str, Any]) -> str:
    """The reason that a failed task gives, on one line."""
    found = task.get("error", "no reason given")
    with suppress(ValueError, AttributeError, TypeError):  # usually a JSON object in a string, node → reason
        found = "; ".join(f"node {node}: {text}" for node, text in json.loads(found).items())
    return " ".join(str(found).split())[:400]
