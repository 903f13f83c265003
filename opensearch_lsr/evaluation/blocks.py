"""Arrays of many texts, computed once: a killed run goes on where it was, another run finds them done.

::

    cache/lsr-ca1dae7b5cd10ef7/
    └── 3f07a1…/            SHA-256 of the texts
        ├── 000000.npz      the first 512 texts: their arrays, and the seconds they took
        └── 000001.npz

Every file is written beside its place and moved there, so one that exists is whole.
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

if TYPE_CHECKING:
    from numpy.typing import NDArray

Blocks = Mapping[str, "NDArray[Any]"]
BLOCK = 512  # texts; what a kill can cost
_SECONDS = "seconds"


def blocks(
    folder: Path,
    texts: Sequence[str],
    encode: Callable[[Sequence[str]], Blocks],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Blocks], float]:
    """The arrays of each block of texts, computed where the folder lacks them.

    Args:
        folder: of one encoder.
        texts: all of them; another text, or another order, is another subfolder.
        encode: at most :data:`BLOCK` texts → named arrays.
        on_progress: told (texts done, texts).

    Returns:
        The blocks in order, and the seconds that ``encode`` took for all of them, whenever that was.

    Raises:
        InputError: when the folder cannot be written.
    """
    with needs_extra("eval", "keeping vectors"):
        import numpy as np
    place = folder / digest(texts)[:16]
    found: list[Blocks] = []
    seconds = 0.0
    try:
        place.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(texts), BLOCK):
            file = place / f"{start // BLOCK:06}.npz"
            block = _read(file)
            if block is None:
                started = time.perf_counter()
                block = {**encode(texts[start : start + BLOCK])}
                block[_SECONDS] = np.array(time.perf_counter() - started)
                draft = file.with_suffix(".part")
                with draft.open("wb") as stream:
                    np.savez_compressed(stream, allow_pickle=False, **block)
                draft.replace(file)
            seconds += float(block[_SECONDS])
            found.append(block)
            on_progress(min(len(texts), start + BLOCK), len(texts))
    except OSError as error:
        raise InputError(f"{place}: vectors cannot be kept there ({error.strerror}); name another folder") from error
    return found, seconds


def digest(texts: Sequence[str]) -> str:
    """SHA-256 over texts and their borders."""
    total = hashlib.sha256()
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


def _read(file: Path) -> Blocks | None:
    import numpy as np

    with suppress(FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError), np.load(file) as stored:
        return {name: stored[name] for name in stored.files}
    return None
