"""The versions of OpenSearch that can be run here."""

from __future__ import annotations

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import release_2_19_1, release_2_19_6, release_3_6_0
from opensearch_lsr.local.release import Release

_ALL = (release_2_19_1.RELEASE, release_2_19_6.RELEASE, release_3_6_0.RELEASE)
RELEASES: dict[str, Release] = {release.version: release for release in _ALL}
DEFAULT = release_3_6_0.RELEASE.version


def find(version: str | None = None) -> Release:
    """A release by its version.

    Args:
        version: such as ``2.19.1``; None for the default.

    Raises:
        NodeError: when it is none of those known.
    """
    wanted = version or DEFAULT
    if wanted not in RELEASES:
        raise NodeError(f"version {wanted!r} of OpenSearch is not known here; choose one of {', '.join(RELEASES)}")
    return RELEASES[wanted]
