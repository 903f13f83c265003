"""Dev splits looked at while training, by sentence-transformers' own evaluator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opensearch_lsr.data import beir, documents
from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.recipe import Evaluation

with needs_extra("train", "training"):
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.evaluation import SequentialEvaluator
    from sentence_transformers.sparse_encoder.evaluation import SparseInformationRetrievalEvaluator


class AtLength(SequentialEvaluator):  # type: ignore[misc]  # sentence-transformers is untyped
    """Evaluators whose encoder reads ``max_length`` tokens of a document, however few of them it is trained on."""

    def __init__(self, parts: Sequence[Any], max_length: int) -> None:
        super().__init__(parts, main_score_function=lambda scores: sum(scores) / len(scores))
        self.max_length = max_length

    def __call__(self, model: SparseEncoder, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Measure, and leave the encoder's length as it was."""
        transformer = checkpoint.document_modules(model)[0]
        before, transformer.max_seq_length = transformer.max_seq_length, self.max_length
        try:
            figures: dict[str, float] = super().__call__(model, *args, **kwargs)
        finally:
            transformer.max_seq_length = before
        return figures


def evaluator(asked: Sequence[Evaluation], seed: int, max_length: int, batch_size: int = 32) -> AtLength | None:
    """nDCG@10, MRR@10, recall@100, active dims and FLOPS on each dev split; None where none is asked for.

    A split is thinned to ``documents`` documents: those judged relevant for the drawn queries, and random others. Its
    figures compare checkpoints of one run; they are no test results.

    Raises:
        InputError: when a folder is no BEIR folder, or naming the file and line that judges what is not there.
    """
    parts = [_evaluator(entry, seed, batch_size) for entry in asked]
    return AtLength(parts, max_length) if parts else None


@dataclass(frozen=True)
class Thinned:
    """What is left of a dev split: query id → text, document id → text, query id → relevant document id → grade."""

    queries: dict[str, str]
    corpus: dict[str, str]
    relevant: dict[str, dict[str, int]]


def thin(asked: Evaluation, seed: int) -> Thinned:
    """Draw queries and documents; all that is relevant for a drawn query is kept.

    Raises:
        InputError: when the folder is no BEIR folder or has no such split, or as :func:`beir.read_relevant` does.
    """
    folder, generator = Path(asked.folder), random.Random(seed)
    judged, queries = beir.split_file(folder, asked.split), beir.read_queries(folder)
    texts = {
        document.id: documents.text_of(document.source, documents.TITLED)
        for document in documents.read_all(str(folder), documents.TITLED)
    }
    relevant = beir.read_relevant(judged, queries, texts)
    corpus = {document: text for document, text in texts.items() if text}
    drawn = generator.sample(sorted(relevant), min(asked.queries, len(relevant)))
    kept = {document for query in drawn for document in relevant[query]}
    others = sorted(corpus.keys() - kept)
    kept |= set(generator.sample(others, min(max(asked.documents - len(kept), 0), len(others))))
    return Thinned(
        {query: queries[query] for query in drawn},
        {document: corpus[document] for document in sorted(kept)},
        {query: relevant[query] for query in drawn},
    )


def _evaluator(asked: Evaluation, seed: int, batch_size: int) -> SparseInformationRetrievalEvaluator:
    thinned = thin(asked, seed)
    return SparseInformationRetrievalEvaluator(
        queries=thinned.queries,
        corpus=thinned.corpus,
        relevant_docs={query: set(found) for query, found in thinned.relevant.items()},
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[1],
        precision_recall_at_k=[100],
        map_at_k=[100],
        batch_size=batch_size,
        name=f"{Path(asked.folder).name}-{asked.split}",
        write_csv=False,
    )
