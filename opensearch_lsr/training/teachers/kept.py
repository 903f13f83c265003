"""Vectors that are computed once: a killed preparation goes on where it was, a finished one loads at once.

::

    cache/
    ├── dense-document-1f0c….npy        finished
    └── dense-query-88ab….part/         under way: one file for each block of 4,096 texts that is done
        └── 000000000000.npy

Names hold a SHA-256 over the model's files, the length limit and the texts, so another model or one changed text is
another file, and one that exists is whole.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from opensearch_lsr.errors import InputError
from opensearch_lsr.training.teachers.encoder import Encoder, Side
from opensearch_lsr.whole_file import locked, whole

Matrix = TypeVar("Matrix")
Progress = Callable[[str, int, int], None]
BLOCK = 4096  # texts; what a kill can cost


@dataclass(frozen=True)
class Storage(Generic[Matrix]):
    """How one kind of matrix is made and kept.

    Attributes:
        kind: first part of the file's name.
        format: to be raised when the same texts give other vectors than before.
        suffix: last part.
        encode: (encoder, side, texts, on_batch) → the matrix of these texts, a row each.
        save: matrix to file.
        stack: files of blocks to one file.
        load: file to matrix.
    """

    kind: str
    format: int
    suffix: str
    encode: Callable[[Encoder, Side, Sequence[str], Callable[[int], None]], Matrix]
    save: Callable[[Matrix, Path], None]
    stack: Callable[[Sequence[Path], Path], None]
    load: Callable[[Path], Matrix]


def kept(
    storage: Storage[Matrix], encoder: Encoder, side: Side, texts: Sequence[str], cache: Path, on_progress: Progress
) -> Matrix:
    """The matrix of ``texts``, loaded where it is in the cache, else encoded into it.

    A process that finds another at it waits; in a distributed run let the first one finish before the others call this.

    Args:
        storage: how to make and keep it.
        encoder: the model.
        side: query or document.
        texts: N of them, at least one.
        cache: folder, made if need be.
        on_progress: told (what, texts done, N) after every batch.

    Returns:
        N rows.

    Raises:
        InputError: when there are no texts, or the cache cannot be written.
        CheckpointError: when the model cannot be opened.
    """
    what = f"{encoder.name}: {'queries' if side == 'query' else 'documents'}"
    if not texts:
        raise InputError(f"teacher {what}: there are none to encode; the training data is empty")
    file = cache / f"{storage.kind}-{side}-{key(storage.format, encoder, side, texts)}{storage.suffix}"
    parts = file.with_suffix(".part")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / ".lock"):
            if not file.is_file():
                parts.mkdir(exist_ok=True)
                blocks = _blocks(storage, encoder, side, texts, parts, lambda done: on_progress(what, done, len(texts)))
                with whole(file) as draft:
                    storage.stack(blocks, draft)
            shutil.rmtree(parts, ignore_errors=True)  # a kill may have left it
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror or error}); choose another cache") from error
    on_progress(what, len(texts), len(texts))
    return storage.load(file)


def key(format: int, encoder: Encoder, side: Side, texts: Sequence[str]) -> str:
    """32 hexadecimal digits over all that the vectors depend on."""
    digest = hashlib.sha256(f"{format} {BLOCK} {encoder.fingerprint} {encoder.max_length} {side}\n".encode())
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little"))  # so that ["ab", ""] is not ["a", "b"]
        digest.update(content)
    return digest.hexdigest()[:32]


def _blocks(
    storage: Storage[Matrix],
    encoder: Encoder,
    side: Side,
    texts: Sequence[str],
    folder: Path,
    on_done: Callable[[int], None],
) -> list[Path]:
    files = []
    done = 0

    def on_batch(count: int) -> None:
        nonlocal done
        done += count
        on_done(done)

    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        file = folder / f"{start:012d}{storage.suffix}"
        if file.is_file():
            on_batch(len(block))
        else:
            encoded = storage.encode(encoder, side, block, on_batch)
            with whole(file) as draft:
                storage.save(encoded, draft)
        files.append(file)
    return files
