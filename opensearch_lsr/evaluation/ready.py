"""Systems made ready on a corpus: which can run, their indices built, each storage once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
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
        built: storage name → what :func:`opensearch_lsr.evaluation.storage.build` told of it.
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


def make(context: Context, names: Sequence[str], records: Records, on_step: OnStep, on_progress: OnProgress) -> Ready:
    """Build what the systems search, then prepare them.

    Raises:
        ClusterError: when the cluster refuses a document or stops answering.
    """
    found = Ready()
    chosen = {name: SYSTEMS[name](context) for name in names}
    found.skipped = {name: why for name, system in chosen.items() if (why := system.missing())}
    for name, system in chosen.items():
        if name in found.skipped:
            continue
        place = system.storage
        if place.name not in found.built:
            on_step(f"{context.collection}: index {place.name}")
            progress = partial(_index_progress, on_progress, place.name, context.documents)
            found.built[place.name] = storage.build(place, records(place.encoder), progress)
        system.prepare()
        found.systems[name] = system
    return found


def _index_progress(on_progress: OnProgress, name: str, total: int, done: int) -> None:
    on_progress(f"index {name}", done, total)
