"""What a run's results say of the run itself; and whether a folder holds the run that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import results, surroundings
from opensearch_lsr.evaluation.blocks import digest
from opensearch_lsr.evaluation.collection import Collection
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.run import Run


def begin(asked: Run, context: Context) -> None:
    """Take up what the folder holds, or begin.

    A run that goes on must have the same settings, encoders and OpenSearch. What else may have changed, the heap or the
    commit, is noted under ``resumed``.

    Raises:
        InputError: when the folder holds another run.
    """
    here = {
        "started": now(),
        "command": asked.command,
        "commit": surroundings.commit(),
        "versions": surroundings.versions(),
        "machine": surroundings.machine(),
        "cluster": surroundings.cluster(asked.client),
        "index_settings": context.settings,
    }
    wanted = {"settings": _given(asdict(asked.suite)), "fingerprints": _fingerprints(context)}
    if not (asked.folder / results.FILE).is_file():
        about = {"name": asked.folder.resolve().name, "finished": None, "error": None, "seed": asked.suite.seed}
        asked.results = results.empty(about | here | wanted)
        asked.save()
        return
    kept = results.load(asked.folder)
    about = kept["run"]
    fixed = {name: about.get(name) or {} for name in wanted}
    changed = [*_changes(fixed, results.plain(wanted)), *_changes(_opensearch(about), _opensearch(here))]
    if changed:
        raise InputError(f"{asked.folder}: holds another run ({changed[0]}); go on with that, or choose another output")
    if not about.get("finished"):
        about.setdefault("resumed", []).append(here)
    about["error"] = None
    asked.results = kept


def of_collection(asked: Run, found: Collection, baseline: str) -> dict[str, Any]:
    """A collection's entry in the results, begun or as it was left.

    Raises:
        InputError: when it was left with other documents, queries or judgments.
    """
    entry = results.entry(asked.results["collections"], name=found.name)
    fingerprint = _digest(found)
    if entry.setdefault("fingerprint", fingerprint) != fingerprint:
        raise InputError(f"{found.name}: has changed since this run began; choose another output")
    entry |= {
        "split": found.split,
        "documents": len(found.documents),
        "queries": len(found.queries),
        "judgments": found.judgments,
        "baseline": baseline,
        "in_domain": found.name in asked.suite.in_domain,
    }
    return entry


def now() -> str:
    """The time, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(found: Collection) -> str:
    parts = [text for document in found.documents for text in document]
    for query, grades in found.qrels.items():
        parts += [query, found.queries[query], *(f"{document} {grade}" for document, grade in grades.items())]
    return digest(parts)


def _fingerprints(context: Context) -> dict[str, str]:
    found: dict[str, str] = {}
    if context.bundle is not None:
        config = context.bundle.config
        found |= {"document": config.document_fingerprint, "query": config.query_fingerprint}
    if context.bi_encoder is not None:
        found["bi_encoder"] = context.bi_encoder.config.document_fingerprint
    if context.dense is not None:
        found["dense"] = context.dense.fingerprint
    return found


def _opensearch(about: Mapping[str, Any]) -> dict[str, Any]:
    return {"OpenSearch": (about.get("cluster") or {}).get("version")}


def _given(value: Any) -> Any:
    """Without the settings that are None."""
    if isinstance(value, Mapping):
        return {key: _given(inner) for key, inner in value.items() if inner is not None}
    return value


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """What differs, such as ``settings.latency.rounds was 5, now 3``."""
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key), after.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _changes(was, now, f"{where}{key}.")
        elif was != now:
            yield f"{where}{key} was {_short(was)}, now {_short(now)}"


def _short(value: Any) -> str:
    return "not there" if value is None else str(value)[:80]
