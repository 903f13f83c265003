"""Bytes on disk of the same documents in OpenSearch: an encoder's vectors beside dense ones.

    python benchmarks/csplade/index_bytes.py CHECKPOINT TEST -o benchmarks/results/csplade

CHECKPOINT: such as $LSR_WORK/runs/bidirectional-medium/seed-1, which run.py keeps. TEST: a BEIR folder, such as
$LSR_WORK/tests/squad-sent. OPENSEARCH_URL says where the cluster is.

Each index has one field and no ``_source``, and is merged to one segment. Dense vectors are random and of length 1:
float32 does not compress, so what they mean does not count, only how many there are and how long.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from opensearchpy import OpenSearch, helpers

from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.data.documents import read_titled
from opensearch_lsr.errors import LSRError
from opensearch_lsr.evaluation.storage import size
from opensearch_lsr.evaluation.systems.dense import HNSW
from opensearch_lsr.training import checkpoint, head

sys.path.insert(0, str(Path(__file__).parent.parent / "ablations"))
import measure

DENSE = {"knn_vector, 384 (MiniLM-L6)": 384, "knn_vector, 768 (BERT base)": 768}
INDEX, FIELD = "csplade-bytes", "vector"
NO_SOURCE = {"enabled": False, "recovery_source_enabled": False}  # nor a copy of it, kept for replicas


def main() -> None:
    """Weigh each, and write index_bytes.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        client = connect(os.environ.get("OPENSEARCH_URL", "http://localhost:9200"))
        encoder = head.install(checkpoint.load(arguments.checkpoint).eval())
    except LSRError as error:
        sys.exit(f"error: {error}")
    texts = [f"{title} {text}".strip() for _, title, text in read_titled(arguments.test)]
    vectors = measure.encode(encoder, encoder.encode_document, texts)
    found = {
        f"rank_features, {vectors.nnz / len(texts):.0f} tokens a document": weigh(
            client,
            {"type": "rank_features"},
            (
                {str(token): float(weight) for token, weight in zip(row.indices, row.data, strict=True)}
                for row in vectors
            ),
        )
    }
    for name, width in DENSE.items():
        mapping = {
            "type": "knn_vector",
            "dimension": width,
            "method": {"name": "hnsw", "engine": "lucene", "space_type": "innerproduct", "parameters": HNSW},
        }
        found[name] = weigh(client, mapping, dense(len(texts), width))
    result = {
        "test": arguments.test.name,
        "documents": len(texts),
        "opensearch": client.info()["version"]["number"],
        "bytes": found,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "index_bytes.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result, indent=1))


def dense(count: int, width: int) -> Iterator[list[float]]:
    """Random vectors of length 1, ``count`` of them."""
    generator = np.random.default_rng(1)
    for _ in range(count):
        vector = generator.standard_normal(width, dtype=np.float32)
        yield (vector / np.linalg.norm(vector)).tolist()


def weigh(client: OpenSearch, mapping: dict[str, Any], vectors: Iterator[Any]) -> int:
    """Bytes of an index of one field, merged."""
    client.indices.delete(index=INDEX, ignore=404)
    body = {
        "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0, "knn": mapping["type"] == "knn_vector"}},
        "mappings": {"_source": NO_SOURCE, "properties": {FIELD: mapping}},
    }
    client.indices.create(index=INDEX, body=body)
    try:
        actions = ({"_index": INDEX, "_id": str(number), FIELD: vector} for number, vector in enumerate(vectors))
        helpers.bulk(client, actions, chunk_size=500, request_timeout=600)
        client.indices.forcemerge(index=INDEX, max_num_segments=1, request_timeout=600)
        client.indices.refresh(index=INDEX)
        return size(client, INDEX)
    finally:
        client.indices.delete(index=INDEX, ignore=404)


if __name__ == "__main__":
    main()
