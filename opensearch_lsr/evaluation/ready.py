"""Systems made ready on a corpus: which can run, their indices built, each storage once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import storage
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.storage import EncoderName, Record
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.evaluation.systems.system import System

Records = Callable[[EncoderName | None], Iterable[Record]]  # which encoder's vectors → all documents, a stream
OnStep = Callable[[str], None]
OnProgress = Callable[[str, int, int], None]  # what, how many, of how many


@dataclass
class Ready:
    """Systems on one corpus.

    Attributes:
        systems: name → system, prepared.
        skipped: name → why it does not run here.
        built: storage name → what :func:`opensearch_lsr.evaluation.storage.build` told of it, the time that making its
            documents took left out of ``ingest_documents_per_s``.
    """

    systems: dict[str, System] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    built: dict[str, dict[str, Any]] = field(default_factory=dict)

    def facts(self, name: str) -> dict[str, Any]:
        """Of the index that a system searches."""
        return self.built[self.systems[name].storage.name]


def names_of(asked: Sequence[str]) -> list[str]:
    """Systems by name; none asked for means all.

    Raises:
        InputError: naming one that does not exist.
    """
    for name in asked:
        if name not in SYSTEMS:
            raise InputError(f"system {name!r}: known are {', '.join(SYSTEMS)}")
    return list(dict.fromkeys(asked)) or list(SYSTEMS)


def encoder(name: str, context: Context) -> EncoderName | None:
    """Which encoder's document vectors a system searches."""
    return SYSTEMS[name](context).storage.encoder


def make(context: Context, names: Sequence[str], records: Records, on_step: OnStep, on_progress: OnProgress) -> Ready:
    """Build what the systems search, then prepare them.

    Raises:
        InputError: when the first, the baseline, cannot run here.
        ClusterError: when the cluster refuses a document or stops answering.
    """
    found = Ready()
    chosen = {name: SYSTEMS[name](context) for name in names}
    found.skipped = {name: why for name, system in chosen.items() if (why := system.missing())}
    if names[0] in found.skipped:
        raise InputError(
            f"system {names[0]}: the first is the baseline, and it cannot run here: {found.skipped[names[0]]}; "
            "name another one first"
        )
    for name, system in chosen.items():
        if name in found.skipped:
            continue
        place = system.storage
        if place.name not in found.built:
            on_step(f"{context.collection}: index {place.name}")
            progress = partial(_index_progress, on_progress, place.name, context.documents)
            source = _Timed(records(place.encoder))
            built = storage.build(place, source, progress)
            found.built[place.name] = built | {"ingest_documents_per_s": source.rate_of_loading(built)}
        system.prepare()
        found.systems[name] = system
    return found


class _Timed:
    """A stream, and the seconds that making its items took: growing documents is no part of loading them."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = iter(records)
        self._seconds = 0.0

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        started = perf_counter()
        try:
            return next(self._records)
        finally:
            self._seconds += perf_counter() - started

    def rate_of_loading(self, built: Mapping[str, Any]) -> float:
        """Documents a second of an index built from this stream, the stream's own seconds left out.

        That is one client writing requests, sending them one by one and waiting for each: what indices can be compared
        by, and less than the server could take. What users get, encoding included, is
        :func:`opensearch_lsr.evaluation.costs.ingest`'s.
        """
        documents, rate = built["documents"], built["ingest_documents_per_s"]
        return float(documents / max(documents / rate - self._seconds, 1e-9))


def _index_progress(on_progress: OnProgress, name: str, total: int, done: int) -> None:
    on_progress(f"index {name}", done, total)
