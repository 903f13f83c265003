"""Latency by size: a collection grown in steps, quality and latency at each, and how steeply latency rises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
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


def measure(asked: Run, context: Context, plan: Scale, names: Sequence[str]) -> None:
    """Every size that is not in the results yet, then the slopes.

    Raises:
        InputError: when the collection cannot be grown so far, or is larger than a size.
        ClusterError: when the cluster stops answering.
    """
    given = plan.collection or asked.suite.collections[0]
    found = collection.read(given, asked.suite.split)
    if plan.sizes[0] < len(found.documents):
        raise InputError(f"scale.sizes: {found.name} has {len(found.documents):,} documents; grow it beyond that")
    corpus = _Corpus(asked, context, found)
    for size in plan.sizes:
        entry = results.entry(asked.results["scale"], collection=found.name, size=size)
        if not entry.get("complete"):
            own = replace(context, collection=f"{found.name}-{size}", documents=size)
            _size(asked, own, names, corpus, entry)
            entry["complete"] = True
            asked.save()
            cleanup(asked.client, asked.name, f"{found.name}-{size}")
    asked.results["slopes"] = _slopes(asked, found.name, plan, names[0])
    asked.save()


class _Corpus:
    """A collection and what grows from it."""

    def __init__(self, asked: Run, context: Context, found: Collection) -> None:
        self.found = found
        self.real = Encoded(context, found.documents, asked.cache, asked.on_progress)
        self._parts = growth.cut(found.documents, found.judged)
        self._seed = asked.suite.seed
        self._asked = asked
        self._grown: Growth | None = None

    def records(self, size: int, encoder: EncoderName | None) -> Iterator[Record]:
        """The real documents, then grown ones."""
        if encoder not in (None, "bundle"):
            raise InputError(f"scale: grown documents have vectors of the bundle only, not of {encoder}")
        yield from islice(self.real.records(encoder), size)
        for document, vector in self.grown.documents(size - len(self.found.documents)):
            yield Record(*document, vector if encoder else None)

    @property
    def grown(self) -> Growth:
        if self._grown is None:
            bundle = self.real.given
            if bundle is None:
                raise InputError("scale: grown documents need a bundle")
            texts = [part.document.whole for part in self._parts]
            self._asked.on_step(f"{self.found.name}: {len(texts):,} parts to grow from")
            encoded = vectors.encode(bundle, texts, self._asked.cache, partial(self._asked.on_progress, "parts"))
            self._grown = Growth(self._parts, encoded, self._seed)
        return self._grown

    def distribution(self, size: int) -> dict[str, Any]:
        """Of real and grown documents, side by side."""
        real, grown = Distribution(), Distribution()
        pairs = zip(self.found.documents, self.real.sparse, strict=True)
        for counted in (real.counting(pairs), grown.counting(self.grown.documents(size - len(self.found.documents)))):
            for _ in counted:
                pass
        return distribution.beside(real, grown)


def _size(asked: Run, context: Context, names: Sequence[str], corpus: _Corpus, entry: dict[str, Any]) -> None:
    asked.on_step(f"{context.collection}: {context.documents:,} documents")
    context = replace(context, largest_weight=corpus.real.sparse.largest_weight)
    found = corpus.found
    systems = ready.make(
        context,
        names,
        lambda encoder: corpus.records(context.documents, encoder),
        asked.on_step,
        asked.on_progress,
    )
    entry |= {"documents": context.documents, "distribution": corpus.distribution(context.documents)}
    entry["systems"] = _quality(asked, systems, found)
    asked.save()
    timing.measure(asked, systems, context.collection, found.queries, names[0])
    closed = {"collection": context.collection, "mode": "closed", "clients": 1, "track_total_hits": True}
    timed = [one for one in asked.results["latency"] if closed.items() <= one.items()]
    for row in entry["systems"]:
        for one in (system for latency in timed for system in latency["systems"] if system["name"] == row["name"]):
            row |= {"total_ms": one["total_ms"], "ratio": one["ratio"]}


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
    times: dict[str, dict[int, Any]] = {}
    for size in plan.sizes:
        for system, one in timing.kept_samples(asked, f"{name}-{size}", True).items():
            times.setdefault(system, {})[size] = one.total
    return percentiles.slopes(times, baseline, asked.suite.seed)
