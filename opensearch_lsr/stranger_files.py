"""Files that someone else made: read only from inside the folder they came in, and only up to a size."""

from __future__ import annotations

from pathlib import Path

from opensearch_lsr.errors import LSRError

MB = 1_000_000


def inside(folder: Path, name: str, error: type[LSRError]) -> Path:
    """The path of a file or folder that a stranger's folder names; whether it exists is not asked.

    The Hub's cache keeps a snapshot's files beside it, as links to its ``blobs``: those count as inside.

    Args:
        folder: what came from elsewhere.
        name: a path relative to it.
        error: what is raised.

    Raises:
        LSRError: of the type asked for, when the name or a link leads out of the folder, or nowhere.
    """
    path = folder / name
    try:
        real, root = path.resolve(), folder.resolve()
    except (OSError, RuntimeError, ValueError) as problem:  # links in a circle, a NUL
        raise error(f"{path}: leads nowhere; remove it, or the folder") from problem
    blobs = root.parents[1] / "blobs" if root.parent.name == "snapshots" else root
    if ".." in Path(name).parts or not (real.is_relative_to(root) or real.is_relative_to(blobs)):
        raise error(f"{path}: leads out of {folder} (to {real}), which nothing there may; remove it, or the folder")
    return path


def bounded(path: Path, megabytes: int, error: type[LSRError]) -> Path:
    """The path, if its file is no larger than what a real one has.

    Raises:
        LSRError: of the type asked for, when it is.
    """
    if path.is_file() and (size := path.stat().st_size) > megabytes * MB:
        raise error(f"{path}: has {size / MB:,.0f} MB; at most {megabytes} are read, and a real one has fewer")
    return path
