"""Where a query's milliseconds go: BM25, whole vectors, what makes them faster, and what was tried and did not.

    python benchmarks/query_latency.py --documents 100000

An embedded OpenSearch is started for it, on the same cores. SciFact is grown to a size (see README.md), each index is
merged to one segment, and the systems take turns query by query. Beside the client's times, what explains them:

empty     the same request to an index without documents: connection, JSON, parsing, the client's own part
in shard  what OpenSearch's profile API says of the query, which leaves out a second step (two-phase, fast)
postings  entries of posting lists that were stepped to, by the same profile
scored    documents that were scored, of all that have a token of the query

``sorted`` is exact search of an index whose documents are in order of their strongest token (``index.sort.field``), so
that those alike lie together and more blocks can be skipped; no deployment option, as it does not pay.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any, ClassVar

from encoding import CORES, SHARED

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.evaluation import collection, growth, latency, likeness, percentiles, relevance, storage, vectors
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.evaluation.systems.sparse import SparseIndex, Tokens
from opensearch_lsr.evaluation.timing import drawn
from opensearch_lsr.local.node import Node

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from opensearch_lsr.evaluation.systems.system import System

    Records = Callable[[], Iterator[storage.Record]]

BASELINE, EXACT, SEED = "bm25", "tokens", 1
ORDER = "strongest"  # a field


class SortedIndex(SparseIndex):
    """The exact index, its documents in order of their strongest token."""

    name: ClassVar[str] = "lsr-sorted"

    def body(self) -> dict[str, Any]:
        body = super().body()
        body["settings"] = {**body["settings"], "sort.field": ORDER, "sort.order": "asc"}
        body["mappings"]["properties"] = {**body["mappings"]["properties"], ORDER: {"type": "keyword"}}
        return body

    def source(self, record: storage.Record) -> dict[str, Any]:
        vector: Any = record.vector or {}
        table = self.bundle.weights
        return super().source(record) | {ORDER: max(vector, key=lambda token: vector[token] * table.get(token, 0.0))}


class Sorted(Tokens):
    """Exact search of it."""

    name: ClassVar[str] = "sorted"
    title: ClassVar[str] = "LSR (sorted)"
    place: ClassVar[type[SparseIndex]] = SortedIndex


WAYS: dict[str, Any] = {
    name: SYSTEMS[name] for name in (BASELINE, EXACT, "pruned-query", "two-phase", "balanced", "fast", "seismic")
} | {"sorted": Sorted}


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("--collection", type=Path, default=SHARED / "collections" / "scifact")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--systems", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--heap", default="4g")
    parser.add_argument("--cache", type=Path, help="where vectors are kept; a suite's may be given [default: nowhere]")
    arguments = parser.parse_args()
    names = list(dict.fromkeys([BASELINE, EXACT, *arguments.systems]))

    bundle, found = Bundle.open(arguments.bundle), collection.read(arguments.collection)
    texts = drawn(found.queries, arguments.queries, SEED)
    node = Node("bench-query-latency")
    with tempfile.TemporaryDirectory() as nowhere:
        records, largest = grown(bundle, found, arguments.documents, arguments.cache or Path(nowhere))
        node.stop(wipe=True)
        try:
            client = connect(node.start(heap=arguments.heap).url)
            context = Context(client, "query-latency", "full", arguments.documents, bundle, largest_weight=largest)
            full = built(context, names, records)
            empty = built(replace(context, collection="empty", documents=0), names, lambda: iter(()))
            print(
                f"{len(texts)} queries to {len(names)} systems, {arguments.rounds} rounds, counted and not", flush=True
            )
            figures = measured(client, full, empty, texts, arguments.rounds)
        finally:
            node.stop(wipe=True)
    report(figures, arguments)


def grown(bundle: Bundle, found: collection.Collection, size: int, cache: Path) -> tuple[Records, float]:
    """The collection's documents and grown ones with their vectors, as the scale suite has them; the largest weight."""
    parts = growth.cut(found.documents, found.judged)
    real = encoded(bundle, [document.whole for document in found.documents], cache)
    of_parts = encoded(bundle, [part.document.whole for part in parts], cache)
    more = size - len(found.documents)
    stream = growth.Growth(parts, of_parts, SEED, max(more, 1))
    sample = list(stream.documents(min(likeness.SAMPLE, max(more, 1))))
    alike = likeness.measure(
        (maximum for _, maximum in sample), encoded(bundle, [one.whole for one, _ in sample], cache)
    )

    def records() -> Iterator[storage.Record]:
        for document, vector in zip(found.documents, real, strict=True):
            yield storage.Record(document.id, document.title, document.text, vector)
        for document, maximum in stream.documents(more):
            yield storage.Record(document.id, document.title, document.text, alike(maximum))

    return records, max(real.largest_weight, alike.scale * of_parts.largest_weight)


def encoded(bundle: Bundle, texts: list[str], cache: Path) -> vectors.SparseVectors:
    print(f"encoding {len(texts):,} texts", flush=True)
    return vectors.encode(bundle, texts, cache)


def built(context: Context, names: list[str], records: Records) -> dict[str, System]:
    """The systems, their indices loaded, each once."""
    systems: dict[str, System] = {name: WAYS[name](context) for name in names}
    loaded: set[str] = set()
    for name, system in systems.items():
        if why := system.missing():
            raise SystemExit(f"{name}: {why}")
        if system.storage.name not in loaded:
            loaded.add(system.storage.name)
            print(f"index {system.index}", flush=True)
            storage.build(system.storage, records())
        system.prepare()
    return systems


def measured(
    client: OpenSearch, full: Mapping[str, System], empty: Mapping[str, System], texts: list[str], rounds: int
) -> dict[str, dict[str, Any]]:
    """All figures of each system."""
    times = partial(latency.interleaved, client, queries=texts, rounds=rounds, seed=SEED)
    counted, uncounted = (
        {row["name"]: row for row in percentiles.summary(times(full, track_total_hits=way), BASELINE, SEED)}
        for way in (True, False)
    )
    nothing = {row["name"]: row for row in percentiles.summary(times(empty), BASELINE, SEED)}
    queries = {str(number): text for number, text in enumerate(texts)}
    runs = {name: relevance.collect(client, system, queries, size=10).run for name, system in full.items()}
    return {
        name: {
            "p50_ms": counted[name]["total_ms"]["p50"],
            "ratio": ratio(counted[name]),
            "uncounted_p50_ms": uncounted[name]["total_ms"]["p50"],
            "uncounted_ratio": ratio(uncounted[name]),
            "empty_p50_ms": nothing[name]["total_ms"]["p50"],
            "overlap": relevance.overlap(runs[name], runs[EXACT]) if name != BASELINE else None,
            **profiled(client, system, texts),
        }
        for name, system in full.items()
    }


def ratio(row: Mapping[str, Any]) -> dict[str, float]:
    """p50's and p99's to the baseline's."""
    return {name: row["ratio"][name]["value"] if row["ratio"] else 1.0 for name in ("p50", "p99")}


def profiled(client: OpenSearch, system: System, texts: list[str]) -> dict[str, float]:
    """What the profile API says of a query: median time in ms, mean postings and documents."""
    spent, stepped, scored = [], [], []
    for text in texts:
        params, body = system.request(system.encode(text), latency.SIZE, track_total_hits=True)
        answer = client.search(index=system.index, body={**body, "profile": True}, params=params)
        (search,) = answer["profile"]["shards"][0]["searches"]
        spent.append(sum(one["time_in_nanos"] for one in search["query"]) / 1e6)
        leaves = [leaf["breakdown"] for one in search["query"] for leaf in leaves_of(one)]
        stepped.append(sum(leaf["next_doc_count"] + leaf["advance_count"] for leaf in leaves))
        scored.append(sum(one["breakdown"]["score_count"] for one in search["query"]))
    return {"in_shard_ms": median(spent), "postings": mean(stepped), "scored": mean(scored)}


def leaves_of(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The single-token queries of a profiled one."""
    if not query.get("children"):
        yield query
    for child in query.get("children", []):
        yield from leaves_of(child)


def report(figures: Mapping[str, Mapping[str, Any]], arguments: argparse.Namespace) -> None:
    """The table."""
    print(f"\n{arguments.collection.name} grown to {arguments.documents:,}; client and cluster on {CORES} cores\n")
    columns = {"p50 ms": 8, "to BM25": 9, "p99": 8, "uncounted": 11, "p99 ": 8, "empty": 7, "in shard": 10}
    columns |= {"postings": 10, "scored": 8, "overlap": 9}
    print(" " * 14 + "".join(f"{column.strip():>{width}}" for column, width in columns.items()))
    for name, row in figures.items():
        same = "–" if row["overlap"] is None else f"{row['overlap']:.2f}"
        print(
            f"{name:14}{row['p50_ms']:8.2f}{row['ratio']['p50']:8.2f}x{row['ratio']['p99']:7.2f}x"
            f"{row['uncounted_ratio']['p50']:10.2f}x{row['uncounted_ratio']['p99']:7.2f}x{row['empty_p50_ms']:7.2f}"
            f"{row['in_shard_ms']:10.2f}{row['postings']:10,.0f}{row['scored']:8,.0f}{same:>9}"
        )
    print(json.dumps({"cores": CORES, "documents": arguments.documents, **figures}))


if __name__ == "__main__":
    main()
