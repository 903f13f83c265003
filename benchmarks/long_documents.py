"""Long documents: one vector of what the encoder reads, or one for each chunk (``deploy --chunk``).

    python benchmarks/long_documents.py

Test collections have few long documents, so they are made: the documents of one are shuffled and joined, five at a
time, and a long document is as relevant as the most relevant of its parts. What a query asks for is then anywhere in a
document, and the rest of it is about something else: this shows what truncation can lose and chunks find again. Parts
of a real document have one subject, and its beginning says most.

An embedded OpenSearch is started for it, on the same cores; systems take turns query by query (see README.md). The last
line is why chunks are not made by the processor ``text_chunking``, which counts words.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from encoding import CORES, SHARED
from opensearchpy import helpers

from opensearch_lsr import DocumentEncoder, deploy
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.first_load import first_load
from opensearch_lsr.data import beir
from opensearch_lsr.data.documents import Document, read_titled
from opensearch_lsr.evaluation import latency, measures, percentiles, relevance, storage
from opensearch_lsr.evaluation.deployed_index import DeployedIndex
from opensearch_lsr.local.node import Node

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from opensearch_lsr.bundle import Bundle

PARTS, SEED, ROUNDS = 5, 0, 3
BM25, FIELDS = "BM25 (english)", ["text"]
MAPPING = {"properties": {"text": {"type": "text", "analyzer": "english"}}}
WORDS = 384  # of a chunk of text_chunking, where nothing else is said


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("--collection", type=Path, default=SHARED / "collections" / "scifact")
    parser.add_argument("--documents", type=int, help="of the collection, judged ones first [default: all]")
    parser.add_argument("--chunk", type=int, nargs="*", default=[500], help="bytes")
    arguments = parser.parse_args()

    encoder = DocumentEncoder.from_pretrained(arguments.bundle)
    texts, queries, qrels = joined(arguments.collection, arguments.documents)
    node = Node("bench-long-documents")
    node.stop(wipe=True)
    try:
        client = connect(node.start(heap="1g").url)
        systems: dict[str, Any] = {BM25: Matched(client, texts)}
        reports: dict[str, dict[str, Any]] = {BM25: {"seconds": None}}
        for name, chunk in {"LSR, truncated": None, **{f"LSR, chunks of {n}": n for n in arguments.chunk}}.items():
            target = deploy(
                client,
                arguments.bundle,
                alias=f"long-{chunk or 'truncated'}",
                fields=FIELDS,
                encode="client",
                chunk=chunk,
                mapping=MAPPING,
            )
            print(f"{name}: encoding and loading {len(texts):,} documents", flush=True)
            with first_load(client, target.index):
                report = bulk.load(client, target, documents(texts), encoder)
            assert report.indexed == len(texts)
            systems[name] = DeployedIndex(client, target.index)
            reports[name] = {"seconds": report.seconds, "truncated": report.truncated}
        figures = {name: reports[name] | measure(client, system, queries, qrels) for name, system in systems.items()}
        times = latency.interleaved(client, systems, list(queries.values()), rounds=ROUNDS, seed=SEED)
        for row in percentiles.summary(times, BM25, SEED):
            ratio = row["ratio"]["p50"]["value"] if row["ratio"] else 1.0
            figures[row["name"]] |= {"p50_ms": row["total_ms"]["p50"], "p50_ratio": ratio}
        print_table(figures, texts, queries, encoder, by_words(client, texts, encoder.bundle))
    finally:
        node.stop(wipe=True)


def joined(collection: Path, count: int | None) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    """Long documents, the judged queries, and how relevant a long document is to each."""
    chance = random.Random(SEED)
    short = {identifier: f"{title} {text}".strip() for identifier, title, text in read_titled(collection)}
    judgments = beir.read_qrels(collection)
    judged = {document for grades in judgments.values() for document in grades}
    order = sorted(short, key=lambda identifier: (identifier not in judged, identifier))[:count]
    chance.shuffle(order)
    groups = {f"long-{start // PARTS}": order[start : start + PARTS] for start in range(0, len(order), PARTS)}
    part_of = {part: identifier for identifier, parts in groups.items() for part in parts}
    qrels: dict[str, dict[str, int]] = {}
    for query, grades in judgments.items():
        for document, grade in grades.items():
            if document in part_of and grade > 0:
                found = qrels.setdefault(query, {})
                found[part_of[document]] = max(grade, found.get(part_of[document], 0))
    queries = {query: text for query, text in beir.read_queries(collection).items() if query in qrels}
    texts = {identifier: " ".join(short[part] for part in parts) for identifier, parts in groups.items()}
    return texts, queries, qrels


def documents(texts: dict[str, str]) -> Iterator[Document]:
    """As a file of them is read."""
    return (Document(identifier, {"text": text}, identifier) for identifier, text in texts.items())


class Matched:
    """BM25 in an index of its own."""

    index = "long-bm25"

    def __init__(self, client: OpenSearch, texts: dict[str, str]) -> None:
        body = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": MAPPING}
        client.indices.create(index=self.index, body=body)
        rows = ({"_index": self.index, "_id": identifier, "text": text} for identifier, text in texts.items())
        helpers.bulk(client, rows, refresh=True)

    def encode(self, text: str) -> str:
        return text

    def request(self, encoded: str, size: int, track_total_hits: bool) -> tuple[dict[str, str], dict[str, Any]]:
        query = {"match": {"text": encoded}}
        return {}, {"query": query, "size": size, "_source": False, "track_total_hits": track_total_hits}


def measure(
    client: OpenSearch, system: Any, queries: dict[str, str], qrels: dict[str, dict[str, int]]
) -> dict[str, Any]:
    """Relevance, and bytes of an index of one segment."""
    client.indices.forcemerge(index=system.index, max_num_segments=1)
    run = relevance.collect(client, system, queries, size=10).run
    return {"ndcg": measures.evaluate(qrels, run, ("nDCG@10",))["nDCG@10"], "bytes": storage.size(client, system.index)}


def by_words(client: OpenSearch, texts: dict[str, str], bundle: Bundle) -> float:
    """The share of chunks of :data:`WORDS` words that have more tokens than the encoder reads."""
    tokenizer = bundle.tokenizer
    tokenizer.no_truncation()
    chunking = {"algorithm": {"fixed_token_length": {"max_chunk_limit": -1}}, "field_map": {"text": "chunks"}}
    longer = total = 0
    for text in texts.values():
        body = {"pipeline": {"processors": [{"text_chunking": chunking}]}, "docs": [{"_source": {"text": text}}]}
        (made,) = client.transport.perform_request("POST", "/_ingest/pipeline/_simulate", body=body)["docs"]
        for encoding in tokenizer.encode_batch(made["doc"]["_source"]["chunks"]):
            longer, total = longer + (len(encoding.ids) > bundle.config.max_length), total + 1
    return longer / total


def print_table(
    figures: dict[str, dict[str, Any]],
    texts: dict[str, str],
    queries: dict[str, str],
    encoder: DocumentEncoder,
    longer: float,
) -> None:
    """The table."""
    print(f"\n{CORES} cores for client and cluster; {len(texts):,} long documents, {len(queries):,} queries\n")
    print(f"{'':22}{'nDCG@10':>9}{'bytes a document':>18}{'p50 ms':>9}{'to BM25':>9}{'docs/s':>9}{'cut':>7}")
    for name, row in figures.items():
        rate = f"{len(texts) / row['seconds']:9.1f}" if row["seconds"] else f"{'–':>9}"
        cut = f"{row['truncated'] / len(texts):7.0%}" if "truncated" in row else f"{'–':>7}"
        print(
            f"{name:22}{row['ndcg']:9.3f}{row['bytes'] / len(texts):18,.0f}"
            f"{row['p50_ms']:9.2f}{row['p50_ratio']:8.2f}x{rate}{cut}"
        )
    print(f"\nof text_chunking's chunks of {WORDS} words, {longer:.0%} have more than {encoder.max_length} tokens")
    print(json.dumps({"cores": CORES, "documents": len(texts), "queries": len(queries), "by_words": longer} | figures))


if __name__ == "__main__":
    main()
