"""Latency by size: a collection grown in steps, quality and latency at each, and how steeply latency rises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import Any

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import (
    collection,
    distribution,
    growth,
    measures,
    percentiles,
    ready,
    relevance,
    results,
    timing,
    vectors,
)
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.collection import Collection
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.distribution import Distribution
from opensearch_lsr.evaluation.encoded import Encoded
from opensearch_lsr.evaluation.growth import Growth
from opensearch_lsr.evaluation.ready import Ready
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.storage import EncoderName, Record
from opensearch_lsr.evaluation.suite import Scale
from opensearch_lsr.evaluation.systems.seismic import Seismic

EXACT = "tokens"  # what approximate and pruned systems are compared with
PROOF_QUERIES = 30
OWN = (None, "bundle")  # encoders whose vectors grown documents have
FOREIGN = "grown documents have vectors of the bundle only"


def check(plan: Scale, found: Collection, names: Sequence[str], context: Context, seed: int) -> None:
    """See whether a collection can be grown so far for these systems, without encoding anything.

    Raises:
        InputError: when it cannot, or is larger than a size, or the baseline cannot run on it.
    """
    if ready.encoder(names[0], context) not in OWN:
        raise InputError(f"scale.systems: the first, {names[0]}, is the baseline; {FOREIGN}: name another one first")
    documents = len(found.documents)
    if plan.sizes[0] < documents:
        raise InputError(f"scale.sizes: {found.name} has {documents:,} documents; grow it beyond that")
    parts = growth.cut(found.documents, found.judged)
    possible = documents + Growth(parts, [{}] * len(parts), seed).capacity
    if plan.sizes[-1] > possible:
        raise InputError(
            f"scale.sizes: {found.name} can be grown to {possible:,} documents, as few of it are not judged; "
            "grow it less, or a larger collection"
        )


def measure(asked: Run, context: Context, plan: Scale, names: Sequence[str]) -> None:
    """Every size that is not in the results yet, then the slopes.

    Raises:
        InputError: when the baseline cannot run here.
        ClusterError: when the cluster stops answering.
    """
    found = collection.read(plan.collection or asked.suite.collections[0], asked.suite.split)
    corpus = _Corpus(asked, context, found)
    for size in plan.sizes:
        entry = results.entry(asked.results["scale"], collection=found.name, size=size)
        own = replace(context, collection=f"{found.name}-{size}", documents=size)
        if not entry.get("complete"):
            _size(asked, own, names, corpus, entry)
            entry["complete"] = True
            asked.save()
            cleanup(asked.client, asked.name, own.collection)
    asked.results["slopes"] = _slopes(asked, found.name, plan, names[0])
    asked.save()


class _Corpus:
    """A collection and what grows from it."""

    def __init__(self, asked: Run, context: Context, found: Collection) -> None:
        self.found = found
        self.real = Encoded(context, found.documents, asked.cache, asked.on_progress)
        self._asked = asked

    def records(self, size: int, encoder: EncoderName | None, counting: Distribution | None = None) -> Iterator[Record]:
        """The real documents, then grown ones, which are counted on the way where that is asked for."""
        yield from self.real.records(encoder)
        grown = self.grown.documents(size - len(self.found.documents))
        for document, vector in counting.counting(grown) if counting else grown:
            yield Record(*document, vector if encoder else None)

    def count_real(self) -> Distribution:
        """Of the real documents."""
        counted = Distribution()
        for _ in counted.counting(zip(self.found.documents, self.real.sparse, strict=True)):
            pass
        return counted

    @cached_property
    def grown(self) -> Growth:
        """The stream of grown documents; their parts are encoded when it is first wanted."""
        parts = growth.cut(self.found.documents, self.found.judged)
        texts = [part.document.whole for part in parts]
        self._asked.on_step(f"{self.found.name}: {len(texts):,} parts to grow from")
        bundle, progress = self.real.given, partial(self._asked.on_progress, "encode parts")
        if bundle is None:
            raise InputError("scale: grown documents need a bundle")
        return Growth(parts, vectors.encode(bundle, texts, self._asked.cache, progress), self._asked.suite.seed)


def _size(asked: Run, context: Context, names: Sequence[str], corpus: _Corpus, entry: dict[str, Any]) -> None:
    asked.on_step(f"{context.collection}: {context.documents:,} documents")
    context = replace(context, largest_weight=corpus.real.sparse.largest_weight)
    foreign = [name for name in names if ready.encoder(name, context) not in OWN]
    grown = Distribution()
    passes = iter([grown])  # the first alone is counted; a million documents take minutes

    def records(encoder: EncoderName | None) -> Iterator[Record]:
        return corpus.records(context.documents, encoder, next(passes, None))

    able = [name for name in names if name not in foreign]
    systems = ready.make(context, able, records, asked.on_step, asked.on_progress)
    systems.skipped |= dict.fromkeys(foreign, FOREIGN)
    entry |= {"documents": context.documents, "distribution": distribution.beside(corpus.count_real(), grown)}
    entry["systems"] = _quality(asked, systems, corpus.found)
    asked.save()
    if asked.suite.latency is None:
        return
    timing.measure(asked, systems, context.collection, corpus.found.queries, names[0])
    key = timing.plainest(asked.suite.latency, context.collection)
    timed = {one["name"]: one for one in results.entry(asked.results["latency"], **key)["systems"]}
    for row in entry["systems"]:
        if row["name"] in timed:
            row |= {part: timed[row["name"]][part] for part in ("total_ms", "ratio")}


def _quality(asked: Run, systems: Ready, found: Collection) -> list[dict[str, Any]]:
    """nDCG@10 of each system, and its overlap with exact search."""
    runs = {}
    for name, system in systems.systems.items():
        asked.on_step(f"{system.context.collection}: {len(found.queries):,} queries to {name}")
        runs[name] = relevance.collect(asked.client, system, found.queries, drop_self=asked.suite.drop_self).run
    rows: list[dict[str, Any]] = [{"name": name, "skipped": why} for name, why in systems.skipped.items()]
    for name, run in runs.items():
        system, facts = systems.systems[name], systems.facts(name)
        scored = measures.mean(measures.by_query(found.qrels, run))
        row = {"name": name, "nDCG@10": scored["nDCG@10"], "parameters": system.parameters, **facts}
        if EXACT in runs and system.storage.encoder == "bundle":
            row["overlap@10"] = relevance.overlap(run, runs[EXACT])
        if isinstance(system, Seismic):
            row["ann"] = system.proof(islice(found.queries.values(), PROOF_QUERIES))
        rows.append(row)
    return rows


def _slopes(asked: Run, name: str, plan: Scale, baseline: str) -> dict[str, dict[str, float | None]]:
    if asked.suite.latency is None:
        return {}
    times: dict[str, dict[int, Any]] = {}
    for size in plan.sizes:
        key = timing.plainest(asked.suite.latency, f"{name}-{size}")
        for system, one in timing.kept_samples(asked, key).items():
            times.setdefault(system, {})[size] = one.total
    return percentiles.slopes(times, baseline, asked.suite.seed)
