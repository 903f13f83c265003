"""nDCG@10 of a checkpoint on dev splits: what the default encoder is chosen by.

For each weight β of its lexical prior, with all of a document's tokens and with the 200 that can add most (``export
--top-k``), then for other numbers of tokens.

    python benchmarks/default_encoder/sweep.py CHECKPOINT --collections ../shared/collections --folds FOLDS

Corpora are thinned to 2,500 documents (nfcorpus is whole) and all that is relevant, queries to at most 500; offline dot
products. BM25 is the training teacher's, with an English stemmer.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from sentence_transformers import SparseEncoder

from opensearch_lsr.evaluation.measures import evaluate
from opensearch_lsr.training import checkpoint, head
from opensearch_lsr.training.dev_splits import Thinned, thin
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.recipe import Evaluation
from opensearch_lsr.training.teachers.bm25 import BM25Teacher

BETAS = (0.0, 0.1, 0.2, 0.4, 0.5, 0.7, 1.0, 2.0)
TOP_K, OTHERS = 200, (250, 150, 100)
DOCUMENTS, QUERIES, SEED, BATCH = 2500, 500, 5, 32
WHOLE = {"nfcorpus": 1_000_000}
SMALLEST = 1e-5  # less is rounding, where the prior is subtracted again
MEASURE = "nDCG@10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--collections", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True, help="what folds.py wrote")
    parser.add_argument("--beta", type=float, default=0.5, help="for which other numbers are tried [default: 0.5]")
    parser.add_argument("--max-length", type=int, default=512)
    asked = parser.parse_args()
    folders = [asked.folds / "scifact", *(asked.collections / name for name in ("scitldr", "cosqa", "nfcorpus"))]
    model = head.install(checkpoint.load(str(asked.checkpoint))).eval()
    checkpoint.document_modules(model)[0].max_seq_length = asked.max_length
    (prior,) = (module for module in model.modules() if isinstance(module, LexicalPrior))
    prior.scale.data.copy_(prior.scale > 0)
    table = checkpoint.query_table(model).weight.detach().numpy().ravel()
    rows: dict[str, list[str]] = {}
    for folder in folders:
        dev = thin(Evaluation(str(folder), "dev", WHOLE.get(folder.name, DOCUMENTS), QUERIES), SEED)
        bm25 = BM25Teacher(list(dev.queries.values()), list(dev.corpus.values()))
        scores = bm25.scores(range(len(dev.queries)), range(len(dev.corpus))).numpy()
        rows.setdefault("BM25", []).append(f"{quality(dev, scores):.4f}")
        queries, _ = encode(model, list(dev.queries.values()), "query")
        learned, lexical = encode(model, list(dev.corpus.values()), "document", prior)
        tried = {f"β {beta}": learned + beta * lexical for beta in BETAS}
        tried |= {f"β {beta}, top {TOP_K}": strongest(learned + beta * lexical, table, TOP_K) for beta in BETAS}
        tried |= {f"β {asked.beta}, top {k}": strongest(learned + asked.beta * lexical, table, k) for k in OTHERS}
        for name, vectors in tried.items():
            found = quality(dev, (queries @ vectors.T).toarray())
            active = (vectors > 0).sum() / len(dev.corpus)
            rows.setdefault(name, []).append(f"{found:.4f} ({active:.0f})")
    print(f"{'':14}" + "".join(f"{folder.name:>14}" for folder in folders))
    for name, values in rows.items():
        print(f"{name:14}" + "".join(f"{value:>14}" for value in values))


@torch.no_grad()
def encode(
    model: SparseEncoder, texts: list[str], task: str, prior: LexicalPrior | None = None
) -> tuple[csr_matrix, csr_matrix]:
    """What is learned, and the prior of weight 1: both [texts, vocab], float32, in the order of the texts."""
    order = sorted(range(len(texts)), key=lambda number: -len(texts[number]))
    learned, lexical = [csr_matrix((0, 0))] * len(texts), [csr_matrix((0, 0))] * len(texts)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        features = model.preprocess([texts[number] for number in batch], task=task)
        whole = model(dict(features), task=task)["sentence_embedding"]
        own = torch.zeros_like(whole)
        if prior is not None:
            own = prior({**features, "sentence_embedding": own})["sentence_embedding"]
        for number, row, prior_row in zip(batch, whole - own, own, strict=True):
            learned[number] = csr_matrix((row * (row > SMALLEST)).numpy())
            lexical[number] = csr_matrix(prior_row.numpy())
    return vstack(learned).tocsr(), vstack(lexical).tocsr()


def strongest(vectors: csr_matrix, table: np.ndarray, k: int) -> csr_matrix:
    """Each row's k entries that can add most to a score."""
    cut = vectors.copy()
    for start, end in pairwise(cut.indptr):
        contributions = cut.data[start:end] * table[cut.indices[start:end]]
        cut.data[start:end][np.argsort(-contributions, kind="stable")[k:]] = 0
    return cut


def quality(dev: Thinned, scores: np.ndarray) -> float:
    """nDCG@10 of scores [queries, documents]."""
    keys, run = list(dev.corpus), {}
    for query, row in zip(dev.queries, scores, strict=True):
        run[query] = {keys[place]: float(row[place]) for place in np.argsort(-row, kind="stable")[:100]}
    return evaluate(dev.relevant, run, [MEASURE])[MEASURE]


if __name__ == "__main__":
    main()
