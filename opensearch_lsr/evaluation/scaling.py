"""Latency by size: a collection grown in steps, quality and latency at each, and how steeply latency rises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from typing import Any

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import (
    distribution,
    growth,
    likeness,
    measures,
    percentiles,
    ready,
    relevance,
    results,
    room,
    scoring,
    timing,
    trec,
    vectors,
)
from opensearch_lsr.evaluation.cleanup import cleanup
from opensearch_lsr.evaluation.collection import Collection
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.distribution import Distribution
from opensearch_lsr.evaluation.encoded import Encoded
from opensearch_lsr.evaluation.growth import Growth, Part
from opensearch_lsr.evaluation.likeness import Likeness
from opensearch_lsr.evaluation.ready import Ready
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.storage import EncoderName, Record
from opensearch_lsr.evaluation.suite import Scale
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.evaluation.systems.hybrid import Hybrid
from opensearch_lsr.evaluation.systems.seismic import Seismic
from opensearch_lsr.evaluation.vectors import SparseVectors

OWN = (None, "bundle")  # encoders whose vectors grown documents have
FOREIGN = "grown documents have vectors of the bundle only"


def check(plan: Scale, found: Collection, names: Sequence[str], context: Context) -> None:
    """See whether a collection can be grown so far for these systems, without encoding anything.

    Raises:
        InputError: when it cannot, or is larger than a size, or the baseline cannot run on it.
    """
    if ready.encoder(names[0], context) not in OWN:
        raise InputError(f"scale.systems: the first, {names[0]}, is the baseline; {FOREIGN}: name another one first")
    documents = len(found.documents)
    if plan.sizes[0] < documents:
        raise InputError(f"scale.sizes: {found.name} has {documents:,} documents; grow it beyond that")
    possible = documents + growth.capacity(growth.cut(found.documents, found.judged))
    if plan.sizes[-1] > possible:
        raise InputError(
            f"scale.sizes: {found.name} can be grown to {possible:,} documents, as few of it are not judged; "
            "grow it less, or a larger collection"
        )


def measure(asked: Run, context: Context, plan: Scale, found: Collection, names: Sequence[str]) -> None:
    """Every size that is not in the results yet, then the slopes.

    Raises:
        InputError: when the baseline cannot run here.
        ClusterError: when the cluster stops answering, or has no room for a size.
    """
    corpus = _Corpus(asked, context, found, plan.sizes[-1])
    before = [row for one in asked.results["collections"] if one["name"] == found.name for row in one["systems"]]
    for size in plan.sizes:
        entry = results.entry(asked.results["scale"], collection=found.name, size=size)
        own = replace(context, collection=f"{found.name}-{size}", documents=size)
        if not entry.get("complete"):
            cleanup(asked.client, asked.name, own.collection)  # what a killed run left would take room
            room.check(own, _able(names, own), before)
            _size(asked, own, names, corpus, entry)
            entry["complete"] = True
            asked.save()
            cleanup(asked.client, asked.name, own.collection)
        before = entry["systems"]
    asked.results["slopes"] = _slopes(asked, found.name, plan, names[0])
    asked.save()


class _Corpus:
    """A collection and what grows from it, up to ``most`` documents together."""

    def __init__(self, asked: Run, context: Context, found: Collection, most: int) -> None:
        self.found = found
        self.real = Encoded(context, found.documents, asked.cache, asked.on_progress)
        self._asked, self._most = asked, most

    def records(self, size: int, encoder: EncoderName | None, counting: Distribution | None = None) -> Iterator[Record]:
        """The real documents, then grown ones, which are counted on the way where that is asked for."""
        yield from self.real.records(encoder)
        maxima = self.grown.documents(size - len(self.found.documents))
        grown = ((document, self.likeness(maximum)) for document, maximum in maxima)
        for document, vector in counting.counting(grown) if counting else grown:
            yield Record(*document, vector if encoder else None)

    def count_real(self) -> Distribution:
        """Of the real documents."""
        counted = Distribution()
        for _ in counted.counting(zip(self.found.documents, self.real.sparse, strict=True)):
            pass
        return counted

    @property
    def largest_weight(self) -> float:
        """Of real and grown documents: a part alone may weigh a token more than its whole document does."""
        return max(self.real.sparse.largest_weight, self.likeness.scale * self._part_vectors.largest_weight)

    @property
    def occurring(self) -> list[str]:
        """Tokens of real and grown documents."""
        return list(dict.fromkeys([*self.real.sparse.occurring, *self._part_vectors.occurring]))

    @cached_property
    def grown(self) -> Growth:
        """The stream of grown documents."""
        grown = self._most - len(self.found.documents)
        return Growth(self._parts, self._part_vectors, self._asked.suite.seed, grown)

    @cached_property
    def likeness(self) -> Likeness:
        """What makes maxima like the vectors of documents that are encoded whole."""
        sample = list(self.grown.documents(min(likeness.SAMPLE, self._most - len(self.found.documents))))
        encoded = self._encode([document.whole for document, _ in sample], "encode grown documents")
        return likeness.measure((maximum for _, maximum in sample), encoded)

    @cached_property
    def _parts(self) -> list[Part]:
        return growth.cut(self.found.documents, self.found.judged)

    @cached_property
    def _part_vectors(self) -> SparseVectors:
        texts = [part.document.whole for part in self._parts]
        self._asked.on_step(f"{self.found.name}: {len(texts):,} parts to grow from")
        return self._encode(texts, "encode parts")

    def _encode(self, texts: Sequence[str], doing: str) -> SparseVectors:
        if self.real.given is None:
            raise InputError("scale: grown documents need a bundle")
        return vectors.encode(self.real.given, texts, self._asked.cache, partial(self._asked.on_progress, doing))


def _size(asked: Run, context: Context, names: Sequence[str], corpus: _Corpus, entry: dict[str, Any]) -> None:
    asked.on_step(f"{context.collection}: {context.documents:,} documents")
    context = replace(context, largest_weight=corpus.largest_weight, occurring=corpus.occurring)
    able = _able(names, context)
    grown = Distribution()
    passes = iter([grown])  # the first alone is counted; a million documents take minutes

    def records(encoder: EncoderName | None) -> Iterator[Record]:
        return corpus.records(context.documents, encoder, next(passes, None))

    systems = ready.make(context, able, records, asked.on_step, asked.on_progress)
    systems.skipped |= {name: FOREIGN for name in names if name not in able}
    entry |= {"documents": context.documents, "baseline": names[0]}
    entry["likeness"] = asdict(corpus.likeness)
    entry["distribution"] = distribution.beside(corpus.count_real(), grown)
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


def _able(names: Sequence[str], context: Context) -> list[str]:
    """Systems that need no vectors but those that grown documents have."""
    return [name for name in names if ready.encoder(name, context) in OWN]


def _quality(asked: Run, systems: Ready, found: Collection) -> list[dict[str, Any]]:
    """nDCG@10 of each system, and its overlap with exact search of the same vectors."""
    collected = {}
    hits = {name: scoring.hits_asked(asked, system)["nDCG@10"] for name, system in systems.systems.items()}
    for name, system in systems.systems.items():
        asked.on_step(f"{system.context.collection}: {len(found.queries):,} queries to {name}")
        collected[name] = relevance.collect(
            asked.client, system, found.queries, size=hits[name], drop_self=asked.suite.drop_self
        )
        trec.write(scoring.run_file(asked, system.context.collection, name), collected[name].run, name)
    rows: list[dict[str, Any]] = [
        {"name": name, "title": SYSTEMS[name].title, "skipped": why} for name, why in systems.skipped.items()
    ]
    for name, answers in collected.items():
        system, facts = systems.systems[name], systems.facts(name)
        scored = measures.mean(measures.by_query(found.qrels, answers.run))
        row = {"name": name, "title": system.title, "nDCG@10": scored["nDCG@10"], "errors": answers.errors}
        row |= {"parameters": {**system.parameters, "hits": hits[name]}, **facts}
        if scoring.EXACT in collected and system.storage.encoder == "bundle" and not isinstance(system, Hybrid):
            row["overlap@10"] = relevance.overlap(answers.run, collected[scoring.EXACT].run)
        if isinstance(system, Seismic):
            row["ann"] = system.proof(found.queries.values())
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
