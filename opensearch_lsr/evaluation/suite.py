"""What a benchmark run compares: collections, systems, how latency is taken, grown sizes. TOML, or CLI options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from opensearch_lsr import settings_file
from opensearch_lsr.errors import InputError

COUNTS = ("latency.queries", "latency.rounds", "latency.size", "latency.clients", "scale.sizes")


@dataclass(frozen=True)
class Latency:
    """How latency is taken.

    Attributes:
        queries: how many of a collection's judged queries, drawn with the seed.
        rounds: how often each is sent to each system, in a new random order; one more round before, not counted.
        size: hits asked for.
        clients: closed loop, one measurement each with so many clients at once.
        rates: open loop, one measurement each at so many queries a second.
        track_total_hits: ``default`` counts up to 10,000 hits; ``false`` lets Lucene stop earlier.
        merge: merge each index to one segment first.
    """

    queries: int = 100
    rounds: int = 5
    size: int = 10
    clients: tuple[int, ...] = (1,)
    rates: tuple[float, ...] = ()
    track_total_hits: tuple[Literal["default", "false"], ...] = ("default", "false")
    merge: bool = True


@dataclass(frozen=True)
class Scale:
    """Grown corpora: latency by size.

    Attributes:
        sizes: documents, rising.
        collection: which is grown; the first by default.
        systems: which are compared; those of the suite by default.
    """

    sizes: tuple[int, ...]
    collection: str | None = None
    systems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suite:
    """A benchmark run.

    Attributes:
        collections: BEIR folders, ``ir_datasets:ID`` or ``hub:owner/name``.
        split: whose judgments count.
        systems: names of :mod:`opensearch_lsr.evaluation.systems`; the first is the baseline. Empty: all that the
            bundle and the cluster can serve.
        bundle: of the LSR systems.
        bi_encoder: a bundle whose queries are encoded, too, for the system of that name.
        dense: a sentence-transformers model, for the dense system.
        seed: of everything drawn.
        drop_self: leave out the document whose id is the query's, as BEIR does for ArguAna and Quora.
        latency: None leaves it out.
        scale: None leaves it out.
    """

    collections: tuple[str, ...]
    split: str = "test"
    systems: tuple[str, ...] = ()
    bundle: str = "default"
    bi_encoder: str | None = None
    dense: str | None = None
    seed: int = 1
    drop_self: bool = False
    latency: Latency | None = field(default_factory=Latency)
    scale: Scale | None = None


def read(file: Path, settings: Sequence[str] = ()) -> Suite:
    """Read a suite; ``$NAME`` and ``~`` in its paths are expanded, other paths lie beside the file.

    Raises:
        InputError: naming the file and the key that is unknown, missing or wrong.
    """
    try:
        suite = settings_file.read(Suite, file, settings, COUNTS)
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such suite; give a TOML file") from error
    if not suite.collections:
        raise InputError(f"{file}: collections is empty; name a BEIR folder")
    if suite.scale is not None and list(suite.scale.sizes) != sorted(set(suite.scale.sizes)):
        raise InputError(f"{file}: scale.sizes is {list(suite.scale.sizes)}; give rising sizes")
    return replace(
        suite,
        collections=tuple(_path(text, file) for text in suite.collections),
        bundle=_path(suite.bundle, file),
        bi_encoder=suite.bi_encoder and _path(suite.bi_encoder, file),
        dense=suite.dense and _path(suite.dense, file),
    )


def _path(text: str, file: Path) -> str:
    """A path made absolute where there is one; else a name, left as it is."""
    path = Path(os.path.expandvars(text)).expanduser()
    beside = file.absolute().parent / path
    return str(beside) if beside.exists() else str(path)
