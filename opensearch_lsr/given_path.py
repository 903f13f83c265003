"""Paths as people and files give them."""

from __future__ import annotations

from pathlib import Path

from opensearch_lsr.errors import InputError


def given_path(text: str | Path) -> Path:
    """A path, ``~`` expanded; whether it exists is not asked.

    Raises:
        InputError: for what cannot be one: of a user that there is not, too long, with a NUL.
    """
    try:
        path = Path(text).expanduser()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{text}: is no path ({reason})") from error
    return path
