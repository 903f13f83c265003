"""Room on the disks: extrapolated before an index is built. Free space is forged; a disk that is full cannot be had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr.errors import ClusterError
from opensearch_lsr.evaluation import room
from opensearch_lsr.evaluation.context import Context

NAMES = ("bm25", "tokens", "hybrid")
BEFORE = [
    {"name": "bm25", "documents": 100, "index_bytes": 100_000},
    {"name": "tokens", "documents": 100, "index_bytes": 250_000},
    {"name": "hybrid", "documents": 100, "index_bytes": 250_000},  # searches the same index
    {"name": "bm25-standard", "documents": 100, "index_bytes": 900_000},  # is not built again
    {"name": "seismic", "skipped": "needs OpenSearch 3.3"},
]


def context(*free: int, refused: bool = False) -> Context:
    """A million documents to come, on nodes with so much free space."""

    def stats(**_options: Any) -> dict[str, Any]:
        if refused:
            raise AuthorizationException(403, "no permissions for [cluster:monitor/nodes/stats]", {})
        nodes = {str(number): {"fs": {"total": {"available_in_bytes": left}}} for number, left in enumerate(free)}
        return {"nodes": nodes}

    client: Any = SimpleNamespace(nodes=SimpleNamespace(stats=stats))
    return Context(client, "run", "taps-1000000", 1_000_000)


def test_the_indices_must_fit_and_the_largest_twice() -> None:
    room.check(context(4_000_000_000, 2_000_000_000), NAMES, BEFORE)
    with pytest.raises(ClusterError) as raised:
        room.check(context(4_000_000_000, 1_999_999_999), NAMES, BEFORE)
    assert str(raised.value) == (
        "taps-1000000: its indices need about 6.0 GB while they are merged (3,500 bytes a document before); the nodes' "
        "disks have 6.0 GB left: make room, or leave this size out"
    )


def test_what_is_not_known_stops_nothing() -> None:
    assert room.free(context(0).client) == 0
    assert room.free(context().client) is None
    assert room.free(context(refused=True).client) is None
    room.check(context(0), NAMES, [])
    room.check(context(), NAMES, BEFORE)
    room.check(context(refused=True), NAMES, BEFORE)
