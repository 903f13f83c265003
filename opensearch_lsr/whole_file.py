"""Files that are whole wherever they exist, whatever stops the process or the machine, and made by one process only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Write a file beside its place, under a name of its own, and move it there at the end.

    Of two processes that write the same file the later replaces what the earlier wrote. Missing folders are made.

    Args:
        file: where it is to be; what is there stays until then, and stays when writing fails.

    Yields:
        The path to write to, in the same folder and of the same suffix; ``file`` itself where that is a device or a
        pipe.

    Raises:
        OSError: when the folder cannot be written.
    """
    if file.exists() and not file.is_file():  # /dev/null, /dev/stdout, a pipe: nothing takes their place
        yield file
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{uuid4().hex}-{file.name}")
    try:
        yield draft
        with draft.open("rb+") as written:
            os.fsync(written.fileno())  # else a crash of the machine may leave the name without its content
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process at a time, on one machine; the others wait. Released by the system if the holder dies.

    Args:
        file: the lock, in a folder that exists; it stays there, empty. On Windows nothing is locked.
    """
    with file.open("w") as held:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(held, fcntl.LOCK_EX)
        yield
