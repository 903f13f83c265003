"""What the machine has for a node: memory for its heap, and a free port."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from opensearch_lsr.errors import NodeError

GIB = 1 << 30


def memory() -> int:
    """The machine's memory, or its container's where that is less."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, int(text)) if text.isdigit() else total


def checked(heap: str) -> str:
    """The heap size as given.

    Raises:
        NodeError: when Java would not understand it.
    """
    if not re.fullmatch(r"[1-9][0-9]*[mgMG]", heap):
        raise NodeError(f"{heap!r} is no heap size: write it as 2g or 1500m")
    return heap


def heap_for(total: int) -> str:
    """A quarter of the memory (bytes), between 1 and 4 GiB.

    Raises:
        NodeError: when there is too little.
    """
    if total < 3 * GIB:
        raise NodeError(f"{total / GIB:.1f} GiB of memory; the embedded OpenSearch with a model needs 3 GiB")
    return f"{min(4096, max(1024, total // 4 // (1 << 20)))}m"


def free_port(port: int | None, taken: Collection[int] = (), preferred: int = 9200) -> int:
    """A port on loopback that nobody listens on.

    Args:
        port: the one that is wanted; None for any.
        taken: ports that are spoken for, listened on or not.
        preferred: where to begin looking.

    Raises:
        NodeError: when the wanted one, or every one looked at, is taken.
    """
    for candidate in [port] if port else range(preferred, preferred + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                if candidate not in taken:
                    return candidate
    raise NodeError(f"port {port or preferred} is taken; name one that is free, or leave it out to have one found")
