"""Which OpenSearch a node's data is of: a newer one takes it over, for good, and an older one cannot read it.

The server keeps its version in the commits of the Lucene index that holds its state, and refuses data of a newer one by
what it finds there. So do we, with a line that says what to do.
"""

from __future__ import annotations

import re
from pathlib import Path

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import releases
from opensearch_lsr.local.release import Release

_COMMITTED = re.compile(rb"node_version.([0-9]+)", re.DOTALL)  # key and value of a map, one byte of length between
_MASK = 0x08000000  # set in OpenSearch's version ids, so that none is Elasticsearch's


def read(data: Path) -> str | None:
    """The version that last wrote to a data folder, such as ``2.19.1``; None where none is known to have."""
    commits = {int(file.name.split("_")[1], 36): file for file in data.glob("nodes/0/_state/segments_*")}
    found = _COMMITTED.search(commits[max(commits)].read_bytes()) if commits else None
    if found is None:
        return None
    number = (int(found[1]) ^ _MASK) // 100  # the last two digits count builds
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def release(data: Path) -> Release:
    """What to start where no version is asked for: that of the data if it is one of those here, else the default."""
    found = read(data)
    return releases.find(found if found in releases.RELEASES else None)


def check(name: str, data: Path, version: str, upgrade: bool) -> None:
    """Refuse a start that the data would not bear, or that nobody asked for.

    Args:
        name: the node's.
        data: its data folder.
        version: about to be started.
        upgrade: whether older data may be taken over.

    Raises:
        NodeError: naming both versions.
    """
    found = read(data)
    if found is None or found == version:
        return
    has = f"node {name} has data of OpenSearch {found}"
    if _numbers(found) > _numbers(version):
        raise NodeError(
            f"{has}, which {version} cannot read: start that version, choose another name, "
            "or delete the data (opensearch-lsr cluster down --wipe)"
        )
    if not upgrade:
        raise NodeError(
            f"{has}: leave out the version, or add --upgrade, and {version} takes it over for good "
            f"(copy {data} before, if you may want to go back)"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
