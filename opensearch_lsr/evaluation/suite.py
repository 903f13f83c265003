"""What a benchmark run compares: collections, systems, how latency is taken, grown sizes. TOML, or CLI options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from opensearch_lsr import settings_file
from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.load import MAX_CLIENTS
from opensearch_lsr.given_path import given_path

COUNTS = ("latency.queries", "latency.rounds", "latency.size", "latency.clients", "scale.sizes")
CATALOGUES = ("ir_datasets:", "hub:")  # collections that are no folders
PATHS = ("collections", "bundle", "bi_encoder", "dense", "scale.collection")


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
        systems: which are compared, the first is the baseline; those of the suite by default. Grown documents have
            vectors of the bundle: systems with another encoder are skipped.
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
        in_domain: names of the collections whose train split the bundle's encoder has seen; reports say so.
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
    in_domain: tuple[str, ...] = ()
    latency: Latency | None = field(default_factory=Latency)
    scale: Scale | None = None


def read(file: Path | None, settings: Sequence[str] = (), options: Mapping[str, Any] | None = None) -> Suite:
    """Read a suite. ``$NAME`` and ``~`` in its paths are expanded; other paths lie beside the file.

    Args:
        file: TOML; None where options say it all, and paths lie in the working directory.
        settings: ``key=value`` each, over what the file says.
        options: dotted key → value, over both; paths lie in the working directory.

    Raises:
        InputError: naming the file and the key that is unknown, missing or wrong.
    """
    source, folder = (str(file), file.absolute().parent) if file else ("options", Path.cwd())
    try:
        table = settings_file.load(file) if file else {}
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such suite; give a TOML file") from error
    for setting in settings:
        settings_file.assign(table, setting)
    for key, value in (options or {}).items():
        settings_file.put(table, key, _placed(value, Path.cwd()) if key in PATHS else value, source)
    suite = _with_paths(settings_file.parse(Suite, table, source, COUNTS), source, folder)
    for found in (_collections_problem(suite), _latency_problem(suite), _scale_problem(suite)):
        if found:
            raise InputError(f"{source}: {found}")
    return suite


def _with_paths(suite: Suite, source: str, folder: Path) -> Suite:
    def path(key: str, text: str) -> str:
        expanded = os.path.expandvars(text)
        if "$" in expanded:
            raise InputError(f"{source}: {key} is {text!r}, and that variable is not set; export it")
        placed: str = _placed(expanded, folder)
        return placed

    scale = suite.scale
    return replace(
        suite,
        collections=tuple(path("collections", text) for text in suite.collections),
        bundle=path("bundle", suite.bundle),
        bi_encoder=suite.bi_encoder and path("bi_encoder", suite.bi_encoder),
        dense=suite.dense and path("dense", suite.dense),
        scale=scale and replace(scale, collection=scale.collection and path("scale.collection", scale.collection)),
    )


def _placed(value: Any, folder: Path) -> Any:
    """A path, or a list of them, made absolute where there is something; a name stays as it is."""
    if isinstance(value, list):
        return [_placed(item, folder) for item in value]
    path = folder / given_path(value)
    is_name = value == "default" or not path.exists()  # the bundle of that name, also beside a folder called so
    return value if is_name else str(path)


def _collections_problem(suite: Suite) -> str | None:
    if not suite.collections:
        return "collections is empty; name a BEIR folder"
    places = [("collections", given) for given in suite.collections]
    if suite.scale is not None and suite.scale.collection:
        places.append(("scale.collection", suite.scale.collection))
    for key, given in places:
        if not given.startswith(CATALOGUES) and not Path(given).is_dir():
            return f"{key}: {given}: no such folder; give a BEIR folder, ir_datasets:ID or hub:owner/name"
    return None


def _latency_problem(suite: Suite) -> str | None:
    latency = suite.latency
    if latency is None:
        return None
    if max(latency.clients, default=1) > MAX_CLIENTS:
        return f"latency.clients is {list(latency.clients)}; at most {MAX_CLIENTS} are possible, one connection each"
    if not all(rate > 0 for rate in latency.rates):
        return f"latency.rates is {list(latency.rates)}; they are above 0"
    if not latency.track_total_hits:
        return "latency.track_total_hits is empty; it is default, false, or both"
    if suite.scale is not None and 1 not in latency.clients:
        return f"latency.clients is {list(latency.clients)}; latency by size is taken with 1 client: add it"
    return None


def _scale_problem(suite: Suite) -> str | None:
    if suite.scale is None or (suite.scale.sizes and list(suite.scale.sizes) == sorted(set(suite.scale.sizes))):
        return None
    return f"scale.sizes is {list(suite.scale.sizes)}; give rising sizes"
