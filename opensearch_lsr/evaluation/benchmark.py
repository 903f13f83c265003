"""A benchmark run: collections × systems, relevance, cost and latency, each part kept as soon as it is measured.

A run that was stopped goes on where it was: what ``results.json`` holds is not measured again, and indices are built
anew from vectors that are kept. What a run makes in the cluster carries its name, and is removed as each collection is
done.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.connect import readable_errors
from opensearch_lsr.errors import InputError, LSRError
from opensearch_lsr.evaluation import about_run, collection, costs, ready, results, scaling, scoring, timing
from opensearch_lsr.evaluation.asking import address
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.collection import Collection
from opensearch_lsr.evaluation.context import Context, slug
from opensearch_lsr.evaluation.encoded import Encoded
from opensearch_lsr.evaluation.results import Results
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Suite

INGESTED = 300  # documents that are encoded in each mode, by tens of milliseconds each
MODES = {"none": "as text only", "client": "encoded by the client", "cluster": "encoded by the cluster"}


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
    with readable_errors(address(asked.client)):
        context = _context(asked, {*names, *grown})
        found = _read(suite)
        if suite.scale is not None:
            scaling.check(suite.scale, found[_grown(suite)], grown, context)
        about_run.begin(asked, context)
    about = asked.results["run"]
    try:
        with readable_errors(address(asked.client)):
            context = replace(context, run=asked.name)
            for given in suite.collections:
                _collection(asked, context, found[given], names)
            if suite.scale is not None:
                scaling.measure(asked, context, suite.scale, found[_grown(suite)], grown)
    except BaseException as error:  # an interruption, too
        about["error"] = _line(error)
        with suppress(OSError):  # a full disk may be what stopped it
            asked.save()
        if clean:
            _clean_after_failure(asked)
        raise
    about["finished"] = about.get("finished") or about_run.now()
    asked.save()
    cleanup(asked.client, asked.name)
    return asked.results


def _context(asked: Run, names: set[str]) -> Context:
    """What all collections share. Without a system that needs it the bundle is left closed: BM25 needs no encoding.

    Raises:
        BundleError: for a bundle that is damaged.
        InputError: for one whose queries are encoded.
    """
    suite = asked.suite
    context = Context(
        asked.client,
        run="",
        collection="",
        documents=0,
        bi_encoder=Bundle.open(suite.bi_encoder) if suite.bi_encoder else None,
        dense=asked.dense,
        merged=suite.latency is None or suite.latency.merge,
    )
    if suite.scale is None and not any(ready.encoder(name, context) == "bundle" for name in names):
        return context
    bundle = Bundle.open(suite.bundle)
    if bundle.config.query != "table":
        raise InputError(f"{bundle.path}: a bi-encoder; give it as bi_encoder, beside a bundle with token weights")
    return replace(context, bundle=bundle)


def _read(suite: Suite) -> dict[str, Collection]:
    """All collections, by what is given for them: what cannot be read would else end the run after hours.

    Raises:
        InputError: for one that cannot be read, for two of one name, for a name that none has.
    """
    wanted = [*suite.collections, *([_grown(suite)] if suite.scale else [])]
    found = {given: collection.read(given, suite.split) for given in dict.fromkeys(wanted)}
    names = [slug(found[given].name) for given in suite.collections]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two collections are called {twice}; rename the folder of one")
    if unknown := set(suite.in_domain) - {found[given].name for given in suite.collections}:
        raise InputError(f"in_domain: {min(unknown)} is none of the collections, {', '.join(sorted(names))}")
    return found


def _grown(suite: Suite) -> str:
    return (suite.scale and suite.scale.collection) or suite.collections[0]


def _collection(asked: Run, context: Context, found: Collection, names: Sequence[str]) -> None:
    entry = about_run.of_collection(asked, found, names[0])
    if entry.get("complete"):
        asked.on_step(f"{found.name}: is measured")
        return
    cleanup(asked.client, asked.name, found.name)  # a killed run may have left half an index
    asked.on_step(f"{found.name}: {len(found.documents):,} documents, {len(found.queries):,} judged queries")
    encoded = Encoded(context, found.documents, asked.cache, asked.on_progress)
    own = replace(
        context,
        collection=found.name,
        documents=len(found.documents),
        largest_weight=encoded.sparse.largest_weight if encoded.given else None,
        occurring=encoded.sparse.occurring if encoded.given else (),
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
        documents = list(islice(encoded.records(None), INGESTED))
        asked.on_step(f"{context.collection}: indexing {len(documents)} documents {MODES[mode]}")
        entry |= costs.ingest(context, documents, mode)
        asked.save()


def _clean_after_failure(asked: Run) -> None:
    """What failed is what is told, not that cleaning up failed, too."""
    try:
        cleanup(asked.client, asked.name)
    except Exception as error:
        asked.on_step(
            f"{asked.name} could not be cleaned up ({_line(error)}): `opensearch-lsr benchmark cleanup {asked.folder}`"
        )


def _line(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    text = " ".join(str(error).split())
    return text if isinstance(error, LSRError) else f"{type(error).__name__}: {text}"
