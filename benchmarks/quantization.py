"""What quantisation costs and saves: size, memory, documents a second and nDCG@10 of a checkpoint's bundles.

    python benchmarks/quantization.py CHECKPOINT --collection ../shared/collections/scifact
    python benchmarks/quantization.py CHECKPOINT --max-length 128 --documents 500 --quantize none int8 int4
    python benchmarks/quantization.py CHECKPOINT --quantize int8-dynamic --vocabulary corpus.jsonl

Scores are offline dot products of query weights and full document vectors (nothing pruned, title + " " + text), so
the difference is quantisation's alone. Each bundle encodes in a process of its own, whose peak memory (onnxruntime,
graph, activations, and the vectors it made) is what the table has. With --vocabulary each is exported a second time,
with the tokens of that file alone (``export --vocabulary``): a corpus' own, say. Prints a table and, as its last line,
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import ir_measures
import numpy as np
from ir_measures import ScoredDoc, nDCG

from opensearch_lsr.data.beir import Qrels, read_qrels, read_queries
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.sparse_vector import SparseVector

SHARED = Path(__file__).parent.parent.parent / "shared"
DEPTH = 100


@dataclass(frozen=True)
class Result:
    quantization: str
    ndcg_10: float
    active_dims: float
    documents_per_second: float
    onnx_bytes: int
    peak_bytes: int


def main() -> None:
    from opensearch_lsr.export.export import QUANTIZATIONS  # brings torch, which encoding processes do without

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--collection", type=Path, default=SHARED / "collections" / "scifact", help="BEIR folder")
    parser.add_argument("--split", default="test")
    parser.add_argument("--max-length", type=int, help="tokens of a document [default: the checkpoint's]")
    parser.add_argument("--documents", type=int, help="only the first, and the queries that have an answer among them")
    parser.add_argument(
        "--quantize", nargs="+", default=QUANTIZATIONS, choices=QUANTIZATIONS, help="the first is compared with"
    )
    parser.add_argument("--vocabulary", type=Path, help="compare with bundles of this file's tokens, too")
    arguments = parser.parse_args()

    ids, texts = (column[: arguments.documents] for column in read_documents(arguments.collection))
    queries, qrels = read_queries(arguments.collection), read_qrels(arguments.collection, arguments.split)
    there = set(ids)
    qrels = {query: judged for query, judged in qrels.items() if not there.isdisjoint(judged)}
    with tempfile.TemporaryDirectory() as folder:
        results = [
            measure(arguments, quantization, vocabulary, Path(folder), ids, texts, queries, qrels)
            for quantization in arguments.quantize
            for vocabulary in ([None, arguments.vocabulary] if arguments.vocabulary else [None])
        ]
    report(results, arguments.collection.name, arguments.split)


def measure(
    arguments: argparse.Namespace,
    quantization: str,
    vocabulary: Path | None,
    folder: Path,
    ids: list[str],
    texts: list[str],
    queries: dict[str, str],
    qrels: Qrels,
) -> Result:
    """Export, encode the collection, search it with the judged queries."""
    from opensearch_lsr.export.export import export

    name = f"{quantization}, vocabulary" if vocabulary else quantization
    options = {"quantize": quantization, "max_length": arguments.max_length, "vocabulary": vocabulary}
    bundle = export(arguments.checkpoint, folder / name, **options)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        vectors, seconds, peak = process.submit(encode, bundle.path, texts).result()
    encoder = QueryEncoder.from_pretrained(str(bundle.path))
    run = search({query: encoder.encode(queries[query]) for query in qrels}, ids, vectors)
    return Result(
        quantization=name,
        ndcg_10=ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10],
        active_dims=sum(map(len, vectors)) / len(vectors),
        documents_per_second=len(texts) / seconds,
        onnx_bytes=sum(path.stat().st_size for path in bundle.onnx.parent.iterdir()),
        peak_bytes=peak,
    )


def encode(bundle: Path, texts: list[str]) -> tuple[list[SparseVector], float, int]:
    """Vectors, seconds for them, and the peak memory of this process in bytes."""
    encoder = DocumentEncoder.from_pretrained(bundle)
    start = time.perf_counter()
    vectors = [vector for vector, _ in encoder.encode_stream(texts)]
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="utf-8").split()
    return vectors, seconds, int(status[status.index("VmHWM:") + 1]) * 1024


def search(queries: dict[str, SparseVector], ids: list[str], vectors: list[SparseVector]) -> Iterable[ScoredDoc]:
    """Exhaustive dot products over an inverted index."""
    postings: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for number, vector in enumerate(vectors):
        for token, weight in vector.items():
            postings[token][0].append(number)
            postings[token][1].append(weight)
    index = {token: (np.array(numbers), np.array(weights)) for token, (numbers, weights) in postings.items()}
    for query, tokens in queries.items():
        scores = np.zeros(len(ids))
        for token, weight in tokens.items():
            if token in index:
                numbers, weights = index[token]
                scores[numbers] += weight * weights
        for number in np.argsort(-scores, kind="stable")[:DEPTH]:
            if scores[number] > 0:
                yield ScoredDoc(query, ids[number], float(scores[number]))


def read_documents(collection: Path) -> tuple[list[str], list[str]]:
    ids, texts = [], []
    with (collection / "corpus.jsonl").open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            ids.append(record["_id"])
            texts.append(f"{record.get('title', '')} {record['text']}".strip())
    return ids, texts


def report(results: list[Result], collection: str, split: str) -> None:
    print(f"{collection}, {split} queries")
    print(f"{'weights':<24}  {'nDCG@10':>8}  {'active dims':>11}  {'docs/s':>6}  {'ONNX MB':>7}  {'peak MB':>7}")
    for result in results:
        print(
            f"{result.quantization:<24}  {result.ndcg_10:>8.4f}  {result.active_dims:>11.1f}  "
            f"{result.documents_per_second:>6.1f}  {result.onnx_bytes / 1e6:>7.1f}  {result.peak_bytes / 1e6:>7.0f}"
        )
    losses = {result.quantization: results[0].ndcg_10 - result.ndcg_10 for result in results[1:]}
    for quantization, loss in losses.items():
        print(f"loss by {quantization}: {loss:+.4f}")
    figures = [asdict(result) for result in results]
    print(json.dumps({"collection": collection, "split": split, "losses": losses, "results": figures}))


if __name__ == "__main__":
    main()
