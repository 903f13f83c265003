"""Where the embedded OpenSearch lives on disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def home() -> Path:
    """``OPENSEARCH_LSR_HOME``, else the cache folder: root's is the system's, as the service user cannot read /root."""
    if chosen := os.environ.get("OPENSEARCH_LSR_HOME"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/cache/opensearch-lsr")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opensearch-lsr"


@contextmanager
def lock(name: str, root: Path) -> Iterator[None]:
    """One process at a time; released by the system if the holder dies."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Build a folder beside its place and rename it at the end, so that what exists is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        draft.chmod(0o755)
        yield draft
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
