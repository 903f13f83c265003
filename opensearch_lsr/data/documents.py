"""Documents to index: JSON Lines (plain, ``.gz`` or standard input), one object a line, each line accepted or named."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opensearch_lsr import strict_json
from opensearch_lsr.errors import InputError

MAX_ID_BYTES = 512  # OpenSearch's limit for _id
TITLED = ("title", "text")  # BEIR's text fields


@dataclass(frozen=True)
class Document:
    """One document: its id, its fields, and where it came from (``file:line``).

    With a ``version`` it replaces another one of its id only if that one's is not higher.
    """

    id: str
    source: dict[str, Any]
    origin: str
    routing: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Reject:
    """A line that cannot be indexed: where it was, why, and the line itself."""

    origin: str
    reason: str
    raw: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


def read(path: str, fields: Sequence[str], allow_empty: bool = False) -> Iterator[Document | Reject]:
    """Read documents, line by line.

    Args:
        path: a ``.jsonl`` file, the same with ``.gz``, a BEIR folder, or ``-`` for standard input.
        fields: the text fields that will be encoded; a document with no text in any of them is rejected.
        allow_empty: accept documents without text (they get no vector).

    Yields:
        A :class:`Document`, or a :class:`Reject` that names the line and the reason.

    Raises:
        InputError: when the file is missing, or is compressed and not whole.
    """
    seen: dict[str, int] = {}
    with _open(path) as (lines, name):
        for number, line in enumerate(_lines(lines, name), start=1):
            if line.strip():
                yield _parse(line.rstrip(b"\r\n"), f"{name}:{number}", number, seen, fields, allow_empty)


def read_all(path: str, fields: Sequence[str]) -> Iterator[Document]:
    """:func:`read` where no line may be left out; documents without text are accepted.

    Raises:
        InputError: naming the line that cannot be read, too.
    """
    for item in read(path, fields, allow_empty=True):
        if isinstance(item, Reject):
            raise InputError(f"{item}; correct the line or leave it out")
        yield item


def read_titled(path: Path) -> Iterator[tuple[str, str, str]]:
    """Id, title and text of each document of a BEIR folder or a JSON Lines file.

    Raises:
        InputError: naming the line that cannot be read.
    """
    for document in read_all(str(path), TITLED):
        yield document.id, *(text_of(document.source, (field,)) for field in TITLED)  # type: ignore[misc]


def text_of(source: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The text that is encoded: the fields' values in order, stripped, one space between (BEIR's title + text).

    Equal to what ``pipelines/ingest.json`` joins in the cluster, Java's ``trim`` included.
    """
    parts = []
    for path in fields:
        value: Any = source
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, str) and (stripped := part.strip(_TRIM)):
                parts.append(stripped)
    return " ".join(parts)


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of a text's SHA-256; a document keeps that of the text its vector was made from.

    Equal to what ``pipelines/ingest.json`` writes in the cluster.
    """
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


_TRIM = "".join(map(chr, range(33)))  # what Java's String.trim removes


def _parse(
    line: bytes, origin: str, number: int, seen: dict[str, int], fields: Sequence[str], allow_empty: bool
) -> Document | Reject:
    raw = line.decode("utf-8", "backslashreplace")
    try:
        record = strict_json.loads(line)
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        return Reject(origin, f"not UTF-8 ({error.reason})", raw)
    except ValueError as error:
        return Reject(origin, f"not JSON ({error})", raw)
    if not isinstance(record, dict):
        return Reject(origin, f"holds {type(record).__name__}, not an object", raw)
    # an id made from the line: indexed again, the document replaces itself
    identifier = record.pop("_id") if "_id" in record else record.get("id", hashlib.sha256(line).hexdigest()[:20])
    problem = _problem(record, identifier, number, seen, fields, allow_empty)
    if problem:
        return Reject(origin, problem, raw)
    return Document(str(identifier), record, origin)


def _problem(
    record: Mapping[str, Any],
    identifier: Any,
    number: int,
    seen: dict[str, int],
    fields: Sequence[str],
    allow_empty: bool,
) -> str | None:
    if isinstance(identifier, bool) or not isinstance(identifier, str | int) or identifier == "":
        return f"_id is {json.dumps(identifier)[:80]}; an id is a non-empty string or a whole number"
    if len(str(identifier).encode("utf-8", "replace")) > MAX_ID_BYTES:
        return f"_id is longer than {MAX_ID_BYTES} bytes"
    first = seen.setdefault(str(identifier), number)
    if first != number:
        return f"duplicate id {str(identifier)!r}, first at line {first}"
    if any(key.startswith("lsr_") for key in record):
        return "has fields beginning with lsr_, which are this package's own"
    if not allow_empty and not text_of(record, fields):
        return f"no text in {', '.join(fields)} (accept it without a vector: --allow-empty)"
    return None


@contextmanager
def _open(path: str) -> Iterator[tuple[Iterable[bytes], str]]:
    if path == "-":
        yield sys.stdin.buffer, "stdin"
        return
    file = Path(path)
    if file.is_dir():
        file = file / "corpus.jsonl" if (file / "corpus.jsonl").is_file() else file / "corpus.jsonl.gz"
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        yield lines, str(file)


def _lines(lines: Iterable[bytes], name: str) -> Iterator[bytes]:
    try:
        yield from lines
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{name}: cannot be read to its end ({error}); the compressed file is not whole") from error
