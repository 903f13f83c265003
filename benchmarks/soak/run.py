"""Half an hour of mixed indexing and searching at a fixed rate, with a migration in the middle.

    python benchmarks/soak/run.py -o benchmarks/results/soak
    python benchmarks/soak/run.py --minutes 2 --documents 200 -o /tmp/soak

Documents are the sample's, encoded by the cluster; the encoder that is
migrated to is the same one, reading half as far. This process is the application; `opensearch-lsr migrate` is another.
A search fails when it errs or finds nothing; writes that the migration refuses (403) are sent again. In the end the
index must hold just what was acknowledged, each document with the vector of its text. Exit code 3 when anything
failed, or when memory or descriptors of this process grew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

from figures import failures, made, table
from opensearchpy import OpenSearch, helpers
from other_bundle import reading_half_as_far
from plot import draw
from traffic import SEARCHERS, WRITERS, Traffic
from watch import Watch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.search import search
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data import beir
from opensearch_lsr.data.documents import Document
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.local.node import Node
from opensearch_lsr.whole_file import whole

ALIAS = "soak"
SAMPLE = Path(bulk.__file__).parents[1] / "samples" / "handbook"
CLOSE = 0.02  # of a weight: the cluster's onnxruntime is another than ours


def main() -> None:
    """Run, write `soak.json` and `soak.png`, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--url", help="a cluster to use; else an embedded one is started")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--documents", type=int, default=1000, help="before it begins")
    parser.add_argument("--writes", type=float, default=2.0, help="a second")
    parser.add_argument("--searches", type=float, default=10.0, help="a second")
    arguments = parser.parse_args()
    with cluster(arguments.url) as url, tempfile.TemporaryDirectory() as folder:
        try:
            figures = soak(url, Path(folder), arguments)
        finally:
            remove(connect(url))
    with whole(arguments.output / "soak.json") as draft:
        draft.write_text(json.dumps(figures), encoding="utf-8")
    draw(figures, arguments.output / "soak.png")
    table(figures)
    if failed := failures(figures):
        print("\n".join(failed), file=sys.stderr)
        sys.exit(3)


@contextmanager
def cluster(url: str | None) -> Iterator[str]:
    """The one that is given, or an embedded one for as long as it is needed."""
    if url:
        yield url
        return
    node = Node(f"soak-{os.getpid()}")
    try:
        yield node.start(heap="2g").url
    finally:
        node.stop(wipe=True)


def remove(client: OpenSearch) -> None:
    """What the run made."""
    for index in client.indices.get(index=f"{ALIAS}-*"):
        undeploy(client, index)


def soak(url: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole run; returns its figures."""
    client = connect(url)
    bundle = Bundle.open(arguments.bundle)
    other = reading_half_as_far(bundle, folder / "other")
    texts = [f"{row['title']} {row['text']}" for row in map(json.loads, (SAMPLE / "corpus.jsonl").open())]
    truth = {f"d{number}": f"{texts[number % len(texts)]} {number}" for number in range(arguments.documents)}
    command(url, "deploy", str(bundle.path), "--alias", ALIAS, "--field", "text")
    rows = (Document(identifier, {"text": text}, identifier) for identifier, text in truth.items())
    bulk.load(client, deployed(client, ALIAS), rows, None)
    queries = [
        text for text in beir.read_queries(SAMPLE / "queries.jsonl").values() if len(search(client, ALIAS, text)) == 10
    ]
    fill_pool(client)
    rates = {"writes": arguments.writes, "searches": arguments.searches}
    length = arguments.minutes * 60
    with Watch(min(5.0, length / 50)) as watch, Traffic(client, ALIAS, texts, queries, truth, **rates) as traffic:
        time.sleep(length / 2)
        began = traffic.seconds()
        migrated = json.loads(command(url, "migrate", ALIAS, str(other.path), "--json"))
        ended = traffic.seconds()
        time.sleep(max(0.0, length - ended))
    took = traffic.seconds()
    migration = {"at": [began, ended], "block_seconds": migrated["block_seconds"], "copied": migrated["copied"]}
    kept = {"documents": len(truth), **compared(client, other, truth)}
    return made(traffic.seen, watch.held, took, rates, migration, kept)


def fill_pool(client: OpenSearch) -> None:
    """Open as many connections as requests will ever be under way, so that opening one later is growth."""
    together = Barrier(WRITERS + SEARCHERS)

    def ask() -> None:
        together.wait()
        client.search(index=ALIAS, body={"size": 1000})  # long enough that none gets another's connection

    with ThreadPoolExecutor(together.parties) as pool:
        for asked in [pool.submit(ask) for _ in range(together.parties)]:
            asked.result()


def command(url: str, *arguments: str) -> str:
    """Another process of this package; returns what it prints."""
    line = [sys.executable, "-m", "opensearch_lsr.cli", *arguments]
    done = subprocess.run(line, env=os.environ | {"OPENSEARCH_URL": url}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"opensearch-lsr {arguments[0]}: {done.stderr}")
    return done.stdout


def compared(client: OpenSearch, bundle: Bundle, truth: dict[str, str]) -> dict[str, int]:
    """What the index holds against what was acknowledged, vectors against fresh ones."""
    client.indices.refresh(index=ALIAS)
    found = {hit["_id"]: hit["_source"] for hit in _all(client)}
    both = sorted(found.keys() & truth.keys())
    vectors = DocumentEncoder(bundle).encode([truth[identifier] for identifier in both])
    return {
        "lost": len(truth.keys() - found.keys()),
        "not_deleted": len(found.keys() - truth.keys()),
        "older_text": sum(found[identifier]["text"] != truth[identifier] for identifier in both),
        "other_vector": sum(
            not close(found[identifier].get(VECTOR_FIELD, {}), vector)
            for identifier, vector in zip(both, vectors, strict=True)
        ),
    }


def _all(client: OpenSearch) -> Iterator[dict[str, Any]]:
    return iter(helpers.scan(client, index=ALIAS, size=200))


def close(left: dict[str, float], right: dict[str, float]) -> bool:
    """Whether two vectors are the same but for rounding."""
    return all(abs(left.get(token, 0.0) - right.get(token, 0.0)) < CLOSE for token in left.keys() | right.keys())


if __name__ == "__main__":
    main()
