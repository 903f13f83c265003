"""What a benchmark run found, on disk: ``results.json``, and ``per_query.jsonl.gz`` beside it.

Results are plain dictionaries, as JSON has them; :data:`SHAPE` says what is in them. All but a few names may be missing
or null: a run that stopped halfway is read like any other. Both files are replaced as a whole, so that whatever stops a
run leaves the last state that was saved.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.measures import Values
from opensearch_lsr.whole_file import whole

SCHEMA = 1
FILE, PER_QUERY = "results.json", "per_query.jsonl.gz"
Results = dict[str, Any]

NUMBER = (int, float)
_NUMBERS = {"*": NUMBER}  # any keys
_INTERVAL = {"value": NUMBER, "low": NUMBER, "high": NUMBER}
_TIMED = {"name!": str, "total_ms": _NUMBERS, "request_ms": _NUMBERS, "encode_ms": _NUMBERS, "took_ms": _NUMBERS}
_TIMED |= {"ratio": {"*": _INTERVAL}, "errors": NUMBER, "error_reasons": {}}
_TIMING = {"collection!": str, "baseline": str, "systems": [_TIMED]}
_SYSTEM = {"name!": str, "title": str, "skipped": str, "errors": {}}
_SYSTEM |= {"relevance": _NUMBERS, "against_baseline": {"*": _NUMBERS}}
_SYSTEM |= dict.fromkeys(("unanswered", "ties", "index_bytes", "vector_bytes", "ingest_documents_per_s"), NUMBER)
_COLLECTION = {"name!": str, "split": str, "baseline": str, "vectors": {}, "systems": [_SYSTEM], "examples": {}}
_COLLECTION |= dict.fromkeys(("documents", "queries", "judgments"), NUMBER) | {"ingest": [{"mode!": str}]}
_RUN = {"name!": str, "command": str, "error": str, "versions": {}, "cluster": {}, "machine": {}, "settings": {}}
SHAPE: dict[str, Any] = {
    "schema!": int,
    "run!": _RUN | {"fingerprints": {"*": str}},
    "collections": [_COLLECTION],
    "latency": [_TIMING | {"mode!": str, "clients": NUMBER, "rate": NUMBER}],
    "scale": [_TIMING | {"size!": NUMBER, "distribution": {}, "systems": [_TIMED | {"errors": {}}]}],
    "slopes": {"*": _NUMBERS},
}
"""Keys that a file must have end in ``!``; ``*`` stands for any key; other keys are let through unread."""


def empty(run: Mapping[str, Any]) -> Results:
    """Results of a run that has not measured anything."""
    return {"schema": SCHEMA, "run": dict(run), "collections": [], "latency": [], "scale": [], "slopes": {}}


def entry(entries: list[dict[str, Any]], **key: Any) -> dict[str, Any]:
    """The entry with these values, such as ``name="scifact"``; appended when there is none."""
    for found in entries:
        if all(found.get(name) == value for name, value in key.items()):
            return found
    entries.append(dict(key))
    return entries[-1]


def save(folder: Path, results: Mapping[str, Any]) -> None:
    """Write ``results.json``. Figures that are not finite become null; paths become text."""
    with whole(folder / FILE) as draft:
        draft.write_text(f"{_text(results)}\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """A value as it comes back from :func:`load`."""
    return json.loads(_text(value))


def load(path: Path) -> Results:
    """Read what :func:`save` wrote, and check it.

    Args:
        path: ``results.json``, or the folder it is in.

    Raises:
        InputError: when the file is missing, damaged, or of a newer schema.
    """
    file = path / FILE if path.is_dir() else path
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read; give a folder that `benchmark run` wrote") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON ({error}); run the benchmark again") from error
    schema = results.get("schema") if isinstance(results, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise InputError(f"{file}: schema {schema} is newer than this version reads ({SCHEMA}); upgrade opensearch-lsr")
    if problem := _problem(results, SHAPE, ""):
        raise InputError(f"{file}: {problem}; the file is damaged, run the benchmark again")
    found: Results = {key: value for key, value in results.items() if value is not None}
    for part, nothing in (("collections", []), ("latency", []), ("scale", []), ("slopes", {})):
        found.setdefault(part, nothing)
    return found


def save_values(folder: Path, collection: str, system: str, values: Mapping[str, Mapping[str, float]]) -> None:
    """Add a system's values, query id → measure → value, to ``per_query.jsonl.gz``; those it had are replaced."""
    kept = load_values(folder) | {(collection, system): values}
    lines = (
        json.dumps({"collection": c, "system": s, "query": query, **found}, ensure_ascii=False) + "\n"
        for (c, s), queries in kept.items()
        for query, found in queries.items()
    )
    with whole(folder / PER_QUERY) as draft:
        draft.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def load_values(folder: Path) -> dict[tuple[str, str], Values]:
    """``(collection, system)`` → query id → measure → value; empty without the file.

    Raises:
        InputError: naming the line that cannot be used.
    """
    file, read = folder / PER_QUERY, 0
    found: dict[tuple[str, str], Values] = {}
    if not file.is_file():
        return found
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                read += 1
                row = json.loads(line)
                key, query = (row.pop("collection"), row.pop("system")), row.pop("query")
                found.setdefault(key, {})[query] = {measure: float(value) for measure, value in row.items()}
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}:{read}: cannot be read ({type(error).__name__}); run the benchmark again") from error
    return found


def _problem(value: Any, shape: Any, where: str) -> str | None:
    """What does not fit, and where; None when all does."""
    kind: Any = type(shape) if isinstance(shape, dict | list) else shape
    if not isinstance(value, kind) or isinstance(value, bool):  # True is an int to Python
        wanted = {dict: "an object", list: "a list", str: "text"}.get(kind, "a number")
        return f"{where or 'it'} is {json.dumps(value)[:40]}, not {wanted}"
    if isinstance(shape, dict):
        return _missing_or_wrong(value, shape, where)
    if isinstance(shape, list):
        parts = ((inner, shape[0], f"{where}[{index}]") for index, inner in enumerate(value))
        return next(filter(None, (_problem(*part) for part in parts)), None)
    return None


def _missing_or_wrong(value: dict[str, Any], shape: dict[str, Any], where: str) -> str | None:
    prefix = f"{where}." if where else ""
    for named, inner in shape.items():
        key = named.rstrip("!")
        if named != key and value.get(key) is None:
            return f"{prefix}{key} is missing"
        for name in value if key == "*" else [key]:
            if value.get(name) is not None and (problem := _problem(value[name], inner, f"{prefix}{name}")):
                return problem
    return None


def _text(value: Any) -> str:
    return json.dumps(_finite(value), indent=1, ensure_ascii=False, default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)  # numpy's numbers
