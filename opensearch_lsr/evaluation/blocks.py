"""Arrays of many texts, computed once: a killed run goes on where it was, another run finds them done.

::

    cache/lsr-ca1dae7b5cd10ef7/
    └── 3f07a1…/            SHA-256 of the texts
        ├── 000000.npz      the first 512 texts: their arrays
        └── 000001.npz

A file that exists is whole; of two runs that compute the same block the later replaces it with its equal.
"""

from __future__ import annotations

import hashlib
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.whole_file import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

Blocks = Mapping[str, "NDArray[Any]"]
BLOCK = 512  # texts; what a kill can cost


def blocks(
    folder: Path,
    texts: Sequence[str],
    encode: Callable[[Sequence[str]], Blocks],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Blocks], float | None]:
    """The arrays of each block of texts, computed where the folder lacks them.

    Args:
        folder: of one encoder.
        texts: all of them; another text, or another order, is another subfolder.
        encode: at most :data:`BLOCK` texts → named arrays.
        on_progress: told (texts done, texts).

    Returns:
        The blocks in order, and the seconds that ``encode`` took for all of them; None where some were there already.

    Raises:
        InputError: when the folder cannot be written.
    """
    place = folder / digest(texts)[:16]
    found: list[Blocks] = []
    seconds, known = 0.0, False
    try:
        place.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(texts), BLOCK):
            file = place / f"{start // BLOCK:06}.npz"
            block = _read(file)
            if block is None:
                started = time.perf_counter()
                block = encode(texts[start : start + BLOCK])
                seconds += time.perf_counter() - started
                write(file, block)
            else:
                known = True
            found.append(block)
            on_progress(min(len(texts), start + BLOCK), len(texts))
    except OSError as error:
        raise InputError(f"{place}: vectors cannot be kept there ({error.strerror}); name another folder") from error
    return found, None if known else seconds


def digest(texts: Sequence[str]) -> str:
    """SHA-256 over texts and their borders."""
    total = hashlib.sha256()
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


def _read(file: Path) -> Blocks | None:
    with needs_extra("eval", "keeping vectors"):
        import numpy as np

    with suppress(FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError), np.load(file) as stored:
        return {name: stored[name] for name in stored.files}
    return None


def write(file: Path, block: Blocks) -> None:
    """Write arrays to an ``.npz`` that is whole wherever it exists."""
    with needs_extra("eval", "keeping arrays"):
        import numpy as np

    arrays: dict[str, Any] = {**block}  # numpy 1 takes any keyword of its own for one of them
    with whole(file) as draft:
        np.savez_compressed(draft, **arrays)
