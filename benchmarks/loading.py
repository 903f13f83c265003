"""Loading an index with documents that are encoded here: beside encoding them alone, and with what its settings cost.

    python benchmarks/loading.py BUNDLE

An embedded OpenSearch is started for it, on the same cores. In each turn the same chunk of real text is encoded alone,
loaded into an empty index as ``opensearch-lsr index`` does (no refreshes and replicas while it is filled), loaded into
one whose settings stay, and loaded without vectors, in random order; a turn before does not count. A turn has several
bulk requests' documents, so that encoding, sending and indexing overlap as they do in a long load. ``cores`` is the
processor time of client and node, a second. Bytes are of vectors as JSON: with the weights as the encoder gives them,
and in the digits that rank_features keep.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from encoding import CORES, SHARED, ratio, read

from opensearch_lsr import DocumentEncoder, deploy, rank_feature
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.first_load import first_load
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data.documents import Document
from opensearch_lsr.evaluation.costs import NoVectors
from opensearch_lsr.local.node import Node

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ALIAS, FIELDS = "loading", ["text"]
ALONE = "encoding alone"


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("--corpus", type=Path, default=SHARED / "collections" / "scifact" / "corpus.jsonl")
    parser.add_argument("--chunk", type=int, default=1280, help="documents a turn")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    texts = read(arguments.corpus, arguments.chunk * (arguments.rounds + 1))
    encoder = DocumentEncoder.from_pretrained(arguments.bundle)
    node = Node("bench-loading")
    node.stop(wipe=True)
    try:
        info = node.start()
        client = connect(info.url)
        ways: dict[str, Callable[[list[str]], float]] = {
            ALONE: lambda chunk: timed(lambda: list(encoder.encode_stream(iter(chunk)))),
            "loading": lambda chunk: load(client, arguments.bundle, chunk, encoder),
            "loading, settings kept": lambda chunk: load(client, arguments.bundle, chunk, encoder, keep=True),
            "loading text alone": lambda chunk: load(client, arguments.bundle, chunk, NoVectors()),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        busy: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(arguments.rounds + 1):
            chunk = texts[number * arguments.chunk : (number + 1) * arguments.chunk]
            for name in random.sample(list(ways), len(ways)):
                before, began = processor_seconds(info.pid), time.perf_counter()
                seconds = ways[name](chunk)
                if number:
                    rates[name].append(len(chunk) / seconds)
                    spent = processor_seconds(info.pid) - before
                    busy[name].append(spent / (time.perf_counter() - began))
    finally:
        node.stop(wipe=True)
    report(rates, busy, bytes_sent(encoder, texts[: arguments.chunk]), arguments)


def load(client: OpenSearch, bundle: str, texts: list[str], encoder: object, keep: bool = False) -> float:
    """Seconds until all can be searched."""
    target = deploy(client, bundle, alias=ALIAS, fields=FIELDS, encode="client")
    try:

        def run() -> None:
            with nullcontext() if keep else first_load(client, target.index):
                bulk.load(client, target, documents(texts), encoder)  # type: ignore[arg-type]

        return timed(run)
    finally:
        undeploy(client, ALIAS)


def documents(texts: list[str]) -> Iterator[Document]:
    """As a file of them is read."""
    return (Document(str(number), {"text": text}, str(number)) for number, text in enumerate(texts))


def timed(run: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def bytes_sent(encoder: DocumentEncoder, texts: list[str]) -> dict[str, float]:
    """Of a document's vector in a request, in the mean."""
    vectors = encoder.encode(texts)
    sizes = {
        "as encoded": [json.dumps(vector) for vector in vectors],
        "as sent": [json.dumps(rank_feature.short(vector)) for vector in vectors],
    }
    return {name: statistics.mean(map(len, found)) for name, found in sizes.items()}


def processor_seconds(node: int) -> float:
    """Of this process and a node's, user and system, since they began."""
    own = os.times()
    fields = Path(f"/proc/{node}/stat").read_text().rpartition(")")[2].split()
    return own.user + own.system + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(
    rates: dict[str, list[float]],
    busy: dict[str, list[float]],
    sizes: dict[str, float],
    arguments: argparse.Namespace,
) -> None:
    """The table."""
    print(
        f"\n{CORES} cores for client and cluster, medians of {arguments.rounds} turns of {arguments.chunk} documents.\n"
    )
    print(f"{'':26}{'docs/s':>9}{'to encoding':>13}{'cores':>7}")
    figures = {}
    for name, found in rates.items():
        share = ratio(found, rates[ALONE])
        cores = statistics.median(busy[name])
        print(f"{name:26}{statistics.median(found):9.1f}{share:12.2f}x{cores:7.2f}")
        figures[name] = {"documents_per_s": statistics.median(found), "to_encoding": share, "cores": cores}
    print(f"\nbytes of a vector: {sizes['as encoded']:,.0f} as encoded, {sizes['as sent']:,.0f} as sent")
    print(json.dumps({"cores": CORES, "bytes": sizes, "ways": figures}))


if __name__ == "__main__":
    main()
