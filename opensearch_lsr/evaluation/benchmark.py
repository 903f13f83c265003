"""A benchmark run: collections × systems, relevance, cost and latency, each part kept as soon as it is measured.

A run that was stopped goes on where it was: what ``results.json`` holds is not measured again, and indices are built
anew from vectors that are kept. What a run makes in the cluster carries its name, and is removed as each collection is
done.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import InputError, LSRError
from opensearch_lsr.evaluation import collection, costs, ready, results, scaling, scoring, surroundings, timing
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.collection import Collection
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.encoded import Encoded
from opensearch_lsr.evaluation.results import Results
from opensearch_lsr.evaluation.run import Run

INGESTED = 300  # documents that are encoded in each mode, by tens of milliseconds each


def measure(asked: Run, clean: bool = False) -> Results:
    """Measure what a suite asks for.

    Args:
        asked: the suite, the cluster, the folder; its ``results`` are filled.
        clean: remove what the run made in the cluster whatever happens; otherwise a failed run leaves its last
            collection there, to be looked at.

    Returns:
        The results.

    Raises:
        InputError: for a collection, bundle or folder that cannot be used.
        ClusterError: when the cluster stops answering; what was measured is in the folder, with the error.
    """
    suite = asked.suite
    names = ready.names_of(suite.systems)
    grown = ready.names_of(suite.scale.systems or names) if suite.scale else []
    context = Context(
        asked.client,
        asked.name,
        collection="",
        documents=0,
        bundle=Bundle.open(suite.bundle),
        bi_encoder=Bundle.open(suite.bi_encoder) if suite.bi_encoder else None,
        dense=asked.dense,
        merged=suite.latency is None or suite.latency.merge,
    )
    _begin(asked, context)
    about = asked.results["run"]
    try:
        for given in suite.collections:
            _collection(asked, context, collection.read(given, suite.split), names)
        if suite.scale is not None:
            scaling.measure(asked, context, suite.scale, grown)
        about |= {"finished": _now(), "error": None}
    except (LSRError, KeyboardInterrupt) as error:
        about["error"] = str(error) or "interrupted"
        raise
    finally:
        asked.save()
        if clean or about["finished"]:
            with suppress(LSRError):  # a cluster that is gone has taken it along
                cleanup(asked.client, asked.name)
    return asked.results


def _begin(asked: Run, context: Context) -> None:
    """Take up what the folder holds, or begin.

    Raises:
        InputError: when it holds another run.
    """
    given = context.bundle
    now = {
        "settings": {key: value for key, value in asdict(asked.suite).items() if value is not None},
        "fingerprints": {}
        if given is None
        else {"document": given.config.document_fingerprint, "query": given.config.query_fingerprint},
        "cluster": surroundings.cluster(asked.client),
    }
    if (asked.folder / results.FILE).is_file():
        asked.results = results.load(asked.folder)
        before = asked.results["run"]
        for name, value in results.plain(now).items():
            if before.get(name) != value:
                raise InputError(
                    f"{asked.folder}: holds a run with another {name.removesuffix('s')}; go on with the same, or "
                    "choose another output"
                )
        before |= {"finished": None, "error": None}
        return
    asked.results = results.empty(
        {
            "name": asked.name,
            "started": _now(),
            "finished": None,
            "command": asked.command,
            "seed": asked.suite.seed,
            "commit": surroundings.commit(),
            "versions": surroundings.versions(),
            "machine": surroundings.machine(),
            **now,
        }
    )
    asked.save()


def _collection(asked: Run, context: Context, found: Collection, names: Sequence[str]) -> None:
    entry = results.entry(asked.results["collections"], name=found.name)
    if entry.get("complete"):
        asked.on_step(f"{found.name}: is measured")
        return
    asked.on_step(f"{found.name}: {len(found.documents):,} documents, {len(found.queries):,} judged queries")
    entry |= {
        "split": found.split,
        "documents": len(found.documents),
        "queries": len(found.queries),
        "judgments": found.judgments,
        "baseline": names[0],
    }
    encoded = Encoded(context, found.documents, asked.cache, asked.on_progress)
    own = replace(
        context,
        collection=found.name,
        documents=len(found.documents),
        largest_weight=encoded.sparse.largest_weight if encoded.given else None,
    )
    systems = ready.make(own, names, encoded.records, asked.on_step, asked.on_progress)
    scoring.measure(asked, entry, found, encoded, systems)
    timing.measure(asked, systems, found.name, found.queries, names[0])
    for mode in costs.MODES:
        _ingest(asked, own, mode, encoded, results.entry(entry.setdefault("ingest", []), mode=mode))
    entry["complete"] = True
    asked.save()
    cleanup(asked.client, asked.name, found.name)


def _ingest(asked: Run, context: Context, mode: str, encoded: Encoded, entry: dict[str, Any]) -> None:
    if "documents_per_s" not in entry:
        asked.on_step(f"{context.collection}: indexing {INGESTED} documents, encoded by {mode}")
        entry |= costs.ingest(context, list(islice(encoded.records(None), INGESTED)), mode)
        asked.save()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
