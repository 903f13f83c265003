"""What a checkpoint is worth on a test set: relevance, lengths, what an index of it would hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import torch
from ir_measures import nDCG
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sentence_transformers import SparseEncoder

from opensearch_lsr.data import beir
from opensearch_lsr.data.documents import read_titled
from opensearch_lsr.evaluation.measures import evaluate
from opensearch_lsr.training import checkpoint, head

DEPTH = 100
BATCH = 32
WEIGHT_BYTES = 2


@dataclass(frozen=True)
class AtLength:
    """The same with documents pruned to a number of tokens in the mean, the same for all encoders.

    Attributes:
        active_dims: mean tokens a document; fewer than asked for where the encoder gives fewer.
        longest_posting_list: documents that hold the most frequent token.
        postings_p99: 99th percentile over queries of the entries in the posting lists of a query's tokens: what exact
            search reads, and its latency follows, on any machine.
        ndcg: nDCG@10 of each query.
    """

    active_dims: float
    longest_posting_list: int
    postings_p99: float
    ndcg: dict[str, float]


@dataclass(frozen=True)
class Measured:
    """One checkpoint on one test set.

    Attributes:
        measures: nDCG@10, RR@10, R@100.
        active_dims: mean tokens a document.
        query_active_dims: mean tokens a query.
        flops: expected number of tokens that a query and a document share, ``Σ_j p_q(j) · p_d(j)``.
        longest_posting_list: documents that hold the most frequent token.
        index_bytes: of an inverted index by arithmetic, not on disk: gaps between document numbers as
            variable-length integers of 7 bits a byte, and two bytes a weight.
        documents: in the collection.
        ndcg: nDCG@10 of each query.
        at_length: documents pruned, for claims at equal length.
    """

    measures: dict[str, float]
    active_dims: float
    query_active_dims: float
    flops: float
    longest_posting_list: int
    index_bytes: int
    documents: int
    ndcg: dict[str, float]
    at_length: AtLength


def measure(folder: Path, test: Path, length: float) -> Measured:
    """Encode a BEIR folder with a checkpoint (bfloat16, as it was trained) and search it exhaustively.

    Args:
        folder: of the checkpoint.
        test: BEIR folder.
        length: tokens of a document, for claims at equal length.
    """
    encoder = checkpoint.load(folder)
    encoder.eval()
    head.install(encoder)
    documents = {key: f"{title} {text}".strip() for key, title, text in read_titled(test)}
    queries, qrels = beir.read_queries(test), beir.read_qrels(test)
    document_vectors = encode(encoder, encoder.encode_document, list(documents.values()))
    query_vectors = encode(encoder, encoder.encode_query, [queries[query] for query in qrels])
    run = search(dict.fromkeys(qrels), list(documents), query_vectors, document_vectors)
    frequencies = np.diff(document_vectors.tocsc().indptr)
    asked = np.diff(query_vectors.tocsc().indptr)
    return Measured(
        measures=evaluate(qrels, run),
        active_dims=document_vectors.nnz / len(documents),
        query_active_dims=query_vectors.nnz / len(qrels),
        flops=float((asked / len(qrels)) @ (frequencies / len(documents))),
        longest_posting_list=int(frequencies.max()),
        index_bytes=index_bytes(document_vectors),
        documents=len(documents),
        ndcg=per_query(qrels, run),
        at_length=at_length(qrels, list(documents), query_vectors, pruned(document_vectors, worth(encoder), length)),
    )


def worth(encoder: SparseEncoder) -> NDArray[np.float64]:
    """What a document's weight of 1 adds to a score, by token: the table's weight, or 1 where queries are encoded."""
    table = checkpoint.query_table(encoder)
    if table is None:
        return np.ones(checkpoint.document_modules(encoder)[0].auto_model.config.vocab_size)
    found: NDArray[np.float64] = table.weight.detach().double().numpy()
    return found


def pruned(documents: csr_matrix, worth: NDArray[np.float64], length: float) -> csr_matrix:
    """Entries that add least to scores left out, by one threshold, until documents have ``length`` in the mean."""
    kept = round(length * documents.shape[0])
    if documents.nnz <= kept:
        return documents
    adds = documents.data * worth[documents.indices]
    shorter = documents.copy()
    shorter.data[np.argsort(-adds, kind="stable")[kept:]] = 0
    shorter.eliminate_zeros()
    return shorter


def at_length(qrels: beir.Qrels, ids: list[str], queries: csr_matrix, documents: csr_matrix) -> AtLength:
    """Figures of pruned documents."""
    frequencies = np.diff(documents.tocsc().indptr)
    return AtLength(
        active_dims=documents.nnz / documents.shape[0],
        longest_posting_list=int(frequencies.max()),
        postings_p99=float(np.percentile((queries > 0).astype(np.int64) @ frequencies, 99)),
        ndcg=per_query(qrels, search(dict.fromkeys(qrels), ids, queries, documents)),
    )


def encode(encoder: SparseEncoder, method: Callable[..., Any], texts: list[str]) -> csr_matrix:
    """Vectors: CSR float32 [texts, vocab], no zeros stored."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # little padding, and equal for all variants
    blocks = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(order), BATCH):
            block = [texts[index] for index in order[start : start + BATCH]]
            vectors = method(block, convert_to_sparse_tensor=False, show_progress_bar=False, batch_size=BATCH)
            blocks.append(csr_matrix(vectors.float().numpy()))
    stacked = vstack(blocks, format="csr")
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return stacked[back]


def search(
    queries: dict[str, None], documents: list[str], query_vectors: csr_matrix, document_vectors: csr_matrix
) -> dict[str, dict[str, float]]:
    """The best 100 documents of each query, by dot product; ties by their order in the collection."""
    scores = (query_vectors @ document_vectors.T).toarray()
    found = {}
    for query, row in zip(queries, scores, strict=True):
        best = np.argsort(-row, kind="stable")[:DEPTH]
        found[query] = {documents[index]: float(row[index]) for index in best if row[index] > 0}
    return found


def per_query(qrels: beir.Qrels, run: dict[str, dict[str, float]]) -> dict[str, float]:
    """nDCG@10 of each judged query; one without hits has 0."""
    found = dict.fromkeys(qrels, 0.0)
    for metric in ir_measures.iter_calc([nDCG @ 10], qrels, run):
        found[metric.query_id] = round(float(metric.value), 5)
    return found


def index_bytes(documents: csr_matrix) -> int:
    """Bytes of all posting lists, see :class:`Measured`."""
    columns = documents.tocsc()
    columns.sort_indices()
    numbers, starts = columns.indices.astype(np.int64), columns.indptr
    gaps = np.diff(numbers, prepend=0)
    first = starts[:-1][np.diff(starts) > 0]
    gaps[first] = numbers[first] + 1
    size = np.ones_like(gaps)
    for bits in (7, 14, 21, 28):
        size += gaps >= 1 << bits
    return int(size.sum() + WEIGHT_BYTES * documents.nnz)
