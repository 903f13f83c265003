"""ML Commons' circuit breakers with their numbers: an open one refuses to deploy models and to run them, and the errors
that come of it seldom say which one it was.

Heap and disk are all there are. A third, for native memory, has a setting and a log line, but since 2.9 ML Commons does
not register it: on 2.19.1 and 3.6.0 models deploy and predict with its threshold at 1 %.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch

HEAP = "plugins.ml_commons.jvm_heap_memory_threshold"
DISK = "plugins.ml_commons.disk_free_space_threshold"


@dataclass(frozen=True)
class Breaker:
    """A breaker of one node.

    Attributes:
        node: its name.
        kind: ``heap`` or ``disk``.
        value: the share of the heap that is used, in percent; or the bytes of disk that are free.
        limit: the heap may not be above it, the disk not below; None where the breaker is switched off.
        open: whether it is in the way.
    """

    node: str
    kind: str
    value: float
    limit: float | None
    open: bool

    @property
    def remedy(self) -> str:
        if self.kind == "disk":
            return f"free disk or lower {DISK}"
        return f"give the node a larger heap, or raise {HEAP}: garbage counts until it is collected"

    @property
    def seen(self) -> str:
        """The numbers, for people."""
        if self.kind == "heap":
            value, limit = f"heap {self.value:.0f} % used", f"{self.limit or 100:.0f} %"
        else:
            value, limit = f"{self.value / 1e9:.1f} GB of disk free", f"{(self.limit or 0) / 1e9:.1f} GB"
        return f"{value}, " + ("no breaker" if self.limit is None else f"breaker at {limit}")

    def __str__(self) -> str:
        return f"node {self.node}: {self.seen}"


def read(client: OpenSearch, settings: Mapping[str, Any]) -> Iterator[Breaker]:
    """The breakers of every node.

    Args:
        client: the cluster.
        settings: from :func:`opensearch_lsr.cluster.preflight.cluster_settings`.
    """
    heap, disk = float(settings.get(HEAP, 85)), _bytes(str(settings.get(DISK, "5gb")))
    for node in client.nodes.stats(metric="jvm,fs")["nodes"].values():
        used, free = node["jvm"]["mem"]["heap_used_percent"], node["fs"]["data"][0]["free_in_bytes"]
        yield Breaker(node["name"], "heap", used, heap if heap < 100 else None, heap < 100 and used > heap)
        yield Breaker(node["name"], "disk", free, disk if disk > 0 else None, free < disk)


def _bytes(text: str) -> float:
    found = re.fullmatch(r"(-?[\d.]+)\s*([kmgtp]?)b?", text.strip().lower())
    if not found:  # a percentage, say: not ours to judge
        return 0
    number, unit = found.groups()
    return float(float(number) * 1024 ** " kmgtp".index(unit or " "))
