"""Where a query's milliseconds go: BM25, whole vectors, the presets, and what else was tried to spend fewer.

    python benchmarks/query_latency.py --documents 100000

An embedded OpenSearch is started for it, on the same cores. SciFact is grown to a size (see README.md), each index is
merged to one segment, and the systems take turns query by query. Ratios are to BM25's p50 and p99, with hits counted
(up to 10,000, the default) and not. Beside them, what a system costs, and what explains its time:

nDCG@10   of the judged queries; of exact: its share of exact search's; overlap: how many of its first ten are found
request   bytes of its body
empty     ms of the same request to an index without documents: connection, JSON, parsing, the client's own part
in shard  ms, what OpenSearch's profile API says of the query, which leaves out a second step (two-phase, fast)
postings  entries of posting lists that were stepped to, by the same profile
scored    documents that were scored
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from encoding import CORES, SHARED
from query_latency_systems import TRIED

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.evaluation import growth, latency, likeness, measures, percentiles, relevance, storage, vectors
from opensearch_lsr.evaluation.collection import Collection
from opensearch_lsr.evaluation.collection import read as read_collection
from opensearch_lsr.evaluation.context import Context
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.local.node import Node

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from opensearch_lsr.evaluation.systems.system import System

    Records = Callable[[], Iterator[storage.Record]]

BASELINE, EXACT, SEED = "bm25", "tokens", 1
SHIPPED = (BASELINE, EXACT, "two-phase", "balanced", "fast", "pruned-query", "seismic")
WAYS: dict[str, Any] = {name: SYSTEMS[name] for name in SHIPPED} | {system.name: system for system in TRIED}


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("--collection", type=Path, default=SHARED / "collections" / "scifact")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--systems", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--queries", type=int, help="[default: all judged ones]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--heap", default="4g")
    parser.add_argument("--cache", type=Path, help="where vectors are kept; a suite's may be given [default: nowhere]")
    arguments = parser.parse_args()
    names = list(dict.fromkeys([BASELINE, EXACT, *arguments.systems]))

    bundle, found = Bundle.open(arguments.bundle), read_collection(arguments.collection)
    asked = replace(found, queries=dict(list(found.queries.items())[: arguments.queries]))
    node = Node("bench-query-latency")
    with tempfile.TemporaryDirectory() as nowhere:
        records, context = grown(bundle, found, arguments.documents, arguments.cache or Path(nowhere))
        node.stop(wipe=True)
        try:
            context = replace(context, client=connect(node.start(heap=arguments.heap).url))
            full = built(context, names, records)
            empty = built(replace(context, collection="empty", documents=0), names, lambda: iter(()))
            print(f"{len(asked.queries)} queries, {arguments.rounds} rounds, {len(names)} systems", flush=True)
            figures = measured(context.client, full, empty, asked, arguments.rounds)
        finally:
            node.stop(wipe=True)
    report(figures, arguments)


def grown(bundle: Bundle, found: Collection, size: int, cache: Path) -> tuple[Records, Context]:
    """The collection's documents and grown ones with their vectors, as the scale suite has them."""
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

    nobody: Any = None  # the node is not started yet
    context = Context(
        nobody,
        "query-latency",
        "full",
        size,
        bundle,
        largest_weight=max(real.largest_weight, alike.scale * of_parts.largest_weight),
        occurring=list(dict.fromkeys([*real.occurring, *of_parts.occurring])),
    )
    return records, context


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
            done = storage.build(system.storage, records())
            print(f"{system.index}: {done['index_bytes'] / 1e6:,.0f} MB, merged in {done['merge_s']:.0f} s", flush=True)
        system.prepare()
    return systems


def measured(
    client: OpenSearch, full: Mapping[str, System], empty: Mapping[str, System], found: Collection, rounds: int
) -> dict[str, dict[str, Any]]:
    """All figures of each system."""
    texts = list(found.queries.values())

    def times(systems: Mapping[str, System], counted: bool = True) -> dict[str, dict[str, Any]]:
        samples = latency.interleaved(client, systems, texts, rounds=rounds, seed=SEED, track_total_hits=counted)
        return {row["name"]: row for row in percentiles.summary(samples, BASELINE, SEED)}

    counted, uncounted, nothing = times(full), times(full, counted=False), times(empty)
    runs = {name: relevance.collect(client, system, found.queries, size=10).run for name, system in full.items()}
    qrels = {query: found.qrels[query] for query in found.queries}
    ndcg = {name: measures.evaluate(qrels, run, ("nDCG@10",))["nDCG@10"] for name, run in runs.items()}
    return {
        name: {
            "p50_ms": counted[name]["total_ms"]["p50"],
            "ratio": ratio(counted[name]),
            "uncounted_ratio": ratio(uncounted[name]),
            "ndcg": ndcg[name],
            "of_exact": ndcg[name] / ndcg[EXACT] if name != BASELINE else None,
            "overlap": relevance.overlap(runs[name], runs[EXACT]) if name != BASELINE else None,
            "request_bytes": mean(sent(system, text) for text in texts),
            "empty_p50_ms": nothing[name]["total_ms"]["p50"],
            **profiled(client, system, texts),
        }
        for name, system in full.items()
    }


def ratio(row: Mapping[str, Any]) -> dict[str, float]:
    """p50's and p99's to the baseline's."""
    return {name: row["ratio"][name]["value"] if row["ratio"] else 1.0 for name in ("p50", "p99")}


def sent(system: System, text: str) -> int:
    """Bytes of a request's body."""
    _, body = system.request(system.encode(text), latency.SIZE, track_total_hits=True)
    return len(json.dumps(body, separators=(",", ":")))


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
    columns = ("p50 ms", "to BM25", "p99", "uncounted", "p99", "nDCG@10", "of exact", "overlap", "request", "empty")
    print(" " * 24 + "".join(f"{column:>10}" for column in (*columns, "in shard", "postings", "scored")))
    for name, row in figures.items():
        cells = [f"{row['p50_ms']:.2f}"]
        cells += [f"{row[kind][at]:.2f}x" for kind in ("ratio", "uncounted_ratio") for at in ("p50", "p99")]
        cells += [f"{row['ndcg']:.3f}"]
        cells += ["–" if row[kind] is None else f"{row[kind]:.3f}" for kind in ("of_exact", "overlap")]
        cells += [f"{row['request_bytes']:,.0f}", f"{row['empty_p50_ms']:.2f}", f"{row['in_shard_ms']:.2f}"]
        cells += [f"{row['postings']:,.0f}", f"{row['scored']:,.0f}"]
        print(f"{name:24}" + "".join(f"{cell:>10}" for cell in cells))
    print(json.dumps({"cores": CORES, "documents": arguments.documents, **figures}))


if __name__ == "__main__":
    main()
