"""Where the embedded OpenSearch lives on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opensearch_lsr.errors import NodeError
from opensearch_lsr.whole_file import locked


def home() -> Path:
    """``OPENSEARCH_LSR_HOME``, else the cache folder: root's is the system's, as the service user cannot read /root."""
    if chosen := os.environ.get("OPENSEARCH_LSR_HOME"):
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/opensearch-lsr")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opensearch-lsr"


def make_folder(path: Path) -> Path:
    """Create a folder with its parents; what root creates, the service user can enter whatever the umask.

    Raises:
        NodeError: when it cannot be created.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                folder.chmod(0o755)
    except OSError as error:
        raise NodeError(
            f"{path} cannot be created ({error.strerror}); set OPENSEARCH_LSR_HOME to another folder"
        ) from error
    return path


@contextmanager
def lock(name: str, root: Path) -> Iterator[None]:
    """One process at a time."""
    with locked(make_folder(root) / f".{name}.lock"):
        yield


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Build a folder beside its place and rename it at the end, so that what exists is whole; hold a lock around it.

    Raises:
        NodeError: when the disk is full or not writable.
    """
    for leftover in make_folder(target.parent).glob(f".{target.name}-*"):  # of a killed run: the caller has the lock
        shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        draft.chmod(0o755)
        yield draft
        draft.rename(target)
    except OSError as error:
        raise NodeError(f"{target} cannot be made: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def make_readable(folder: Path) -> None:
    """Whatever the umask: the service user may read everything and run what its owner may."""
    for path in [folder, *folder.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))
