"""How few postings a first step may read: short vectors, strong query tokens, SEISMIC's lists; without a cluster.

    python benchmarks/candidates.py --documents 1000000

SciFact is grown to a size (see README.md), and held in memory as posting lists of the queries' tokens. A first step
reads fewer of them than exact search; its best documents, as many as a window holds, are then ranked by whole vectors.

postings  that the first step reads, of exact search's; a search engine skips some of both
overlap   how many of exact search's first ten are found, by window; documents that score alike count as lost
of exact  nDCG@10 of the judged queries, as a share of exact search's

The last rows say what SEISMIC can find at most: documents that are among the heaviest N of a query token's list.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np
from encoding import SHARED
from query_latency import grown
from rich.progress import track

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.evaluation import measures
from opensearch_lsr.evaluation.collection import read as read_collection
from opensearch_lsr.evaluation.systems.sparse import PRUNED_QUERY
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.sparse_vector import Prune, SparseVector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from opensearch_lsr.evaluation.storage import Record

WINDOWS = (50, 100, 200, 400)
TOP = 10


@dataclass
class List:
    """A token's posting list, an entry for each document that has it; as arrays once it is whole.

    Attributes:
        weight: the token's in queries, so that an entry adds ``weight · weights[i]`` to a score.
        documents: numbers.
        weights: in documents.
        ranks: among its document's entries, 0 for the one that adds most.
        shares: of what its document's strongest entry adds.
    """

    weight: float
    documents: Any = field(default_factory=lambda: array("i"))
    weights: Any = field(default_factory=lambda: array("f"))
    ranks: Any = field(default_factory=lambda: array("h"))
    shares: Any = field(default_factory=lambda: array("f"))

    def put(self, document: int, weight: float, rank: int, share: float) -> None:
        """One more entry."""
        self.documents.append(document)
        self.weights.append(weight)
        self.ranks.append(rank)
        self.shares.append(share)

    def arrays(self) -> List:
        """The same over the same memory, to compute with."""
        return List(
            self.weight,
            np.frombuffer(self.documents, np.int32),
            np.frombuffer(self.weights, np.float32),
            np.frombuffer(self.ranks, np.int16),
            np.frombuffer(self.shares, np.float32),
        )


Kept = Callable[[List], "NDArray[np.bool_]"]


def short(tokens: int) -> Kept:
    """The entries of a document that add most to a score, so many (:mod:`opensearch_lsr.cluster.two_step`)."""
    return lambda entries: entries.ranks < tokens


def adding(least: float) -> Kept:
    """Entries that add at least so much."""
    return lambda entries: entries.weights * entries.weight >= least


def ratio(least: float) -> Kept:
    """Entries that add at least that share of what their document's strongest one adds."""
    return lambda entries: entries.shares >= least


def heaviest(documents: int) -> Kept:
    """A list's heaviest documents, as SEISMIC prunes lists."""

    def kept(entries: List) -> NDArray[np.bool_]:
        inside = np.ones(len(entries.documents), bool)
        if len(inside) > documents:
            inside[np.argpartition(-entries.weights, documents)[documents:]] = False
        return inside

    return kept


def whole(entries: List) -> NDArray[np.bool_]:
    """All entries."""
    return np.ones(len(entries.documents), bool)


FIRST: dict[str, tuple[Kept, Prune | None]] = {
    "whole vectors": (whole, None),
    "strong query tokens": (whole, PRUNED_QUERY),
    **{f"{tokens} tokens": (short(tokens), None) for tokens in (64, 96, 128, 192)},
    "128 tokens, strong query": (short(128), PRUNED_QUERY),
    **{f"adding ≥ {least}": (adding(least), None) for least in (2.0, 2.5, 3.0)},
    **{f"adding ≥ {least:.0%}": (ratio(least), None) for least in (0.25, 0.33, 0.4)},
}
LISTS = (500, 1_600, 5_000, 16_000)


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("--collection", type=Path, default=SHARED / "collections" / "scifact")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--cache", type=Path, help="where vectors are kept; a suite's may be given [default: nowhere]")
    arguments = parser.parse_args()

    bundle, found = Bundle.open(arguments.bundle), read_collection(arguments.collection)
    encoder = QueryEncoder.from_pretrained(arguments.bundle)
    queries = {name: encoder.encode(text) for name, text in list(found.queries.items())[: arguments.queries]}
    with tempfile.TemporaryDirectory() as nowhere:
        records, _ = grown(bundle, found, arguments.documents, arguments.cache or Path(nowhere))
        wanted = {token for query in queries.values() for token in query}
        names, lists = inverted(track(records(), "documents", arguments.documents), wanted, bundle.named_weights)
    figures = compared(queries, found.qrels, names, lists)
    report(figures, arguments)


def inverted(
    records: Iterable[Record], wanted: set[str], weights: Mapping[str, float]
) -> tuple[list[str], dict[str, List]]:
    """The documents' names, and the lists of the tokens that queries have."""
    names: list[str] = []
    lists = {token: List(weights[token]) for token in wanted}
    for number, record in enumerate(records):
        names.append(record.id)
        vector: Any = record.vector or {}
        added = {token: weight * weights.get(token, 0.0) for token, weight in vector.items()}
        ranked = sorted(added, key=added.__getitem__, reverse=True)
        for rank, token in enumerate(ranked):
            if token in lists:
                lists[token].put(number, vector[token], rank, added[token] / added[ranked[0]])
    return names, {token: entries.arrays() for token, entries in lists.items()}


def compared(
    queries: Mapping[str, SparseVector],
    qrels: Mapping[str, Mapping[str, int]],
    names: list[str],
    lists: Mapping[str, List],
) -> dict[str, Any]:
    """For each first step its postings, overlap and nDCG@10 by window; for SEISMIC's lists what they hold."""
    postings: dict[str, list[float]] = defaultdict(list)
    overlap: dict[tuple[str, int], list[float]] = defaultdict(list)
    runs: dict[tuple[str, int], dict[str, dict[str, float]]] = defaultdict(dict)
    held: dict[int, list[float]] = defaultdict(list)
    for query, tokens in track(queries.items(), "queries"):
        exact, read = scores(tokens, lists, whole, len(names))
        best = strongest(exact, TOP)
        runs["exact", 0][query] = {names[i]: float(exact[i]) for i in best}
        for name, (kept, prune) in FIRST.items():
            approximate, fewer = scores(prune(tokens) if prune else tokens, lists, kept, len(names))
            postings[name].append(fewer / read)
            candidates = strongest(approximate, max(WINDOWS))
            for window in WINDOWS:
                inside = candidates[:window]
                top = inside[np.argsort(-exact[inside], kind="stable")[:TOP]]
                overlap[name, window].append(len(np.intersect1d(top, best)) / TOP)
                runs[name, window][query] = {names[i]: float(exact[i]) for i in top}
        for length in LISTS:
            reached, _ = scores(tokens, lists, heaviest(length), len(names))
            held[length].append(float((reached[best] > 0).mean()))
    judged = {query: qrels[query] for query in queries}
    ndcg = {key: measures.evaluate(judged, run, ("nDCG@10",))["nDCG@10"] for key, run in runs.items()}
    return {
        "exact_ndcg": ndcg["exact", 0],
        "first_steps": {
            name: {
                "postings": mean(postings[name]),
                "overlap": {window: mean(overlap[name, window]) for window in WINDOWS},
                "of_exact": {window: ndcg[name, window] / ndcg["exact", 0] for window in WINDOWS},
            }
            for name in FIRST
        },
        "held_by_lists": {length: mean(values) for length, values in held.items()},
    }


def scores(query: SparseVector, lists: Mapping[str, List], kept: Kept, size: int) -> tuple[NDArray[np.float32], int]:
    """All documents' scores, float32 [size], by the entries that are kept; and how many those are."""
    found, read = np.zeros(size, np.float32), 0
    for token, weight in query.items():
        inside = kept(lists[token])
        found[lists[token].documents[inside]] += weight * lists[token].weights[inside]
        read += int(inside.sum())
    return found, read


def strongest(found: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The best documents, the best first."""
    count = min(count, len(found))
    best = np.argpartition(-found, count - 1)[:count]
    return best[np.argsort(-found[best], kind="stable")]


def report(figures: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """The tables."""
    print(f"\n{arguments.collection.name} grown to {arguments.documents:,}, {arguments.queries} queries\n")
    print(f"{'':36}" + f"{'overlap, window':^{8 * len(WINDOWS)}}" + f"{'of exact nDCG@10':^{8 * len(WINDOWS)}}")
    print(f"{'first step':26}{'postings':>10}" + 2 * "".join(f"{window:>8}" for window in WINDOWS))
    for name, row in figures["first_steps"].items():
        cells = [row[kind][window] for kind in ("overlap", "of_exact") for window in WINDOWS]
        print(f"{name:26}{row['postings']:>10.3f}" + "".join(f"{cell:>8.3f}" for cell in cells))
    print("\nSEISMIC's lists of N documents hold, of the first ten")
    for length, share in figures["held_by_lists"].items():
        print(f"{length:>26,}{share:>10.3f}")
    print(json.dumps({"documents": arguments.documents, "queries": arguments.queries, **figures}))


if __name__ == "__main__":
    main()
