"""Dev splits looked at while training, by sentence-transformers' own evaluator."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from opensearch_lsr.data import beir, documents
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.training.recipe import Evaluation

with needs_extra("train", "training"):
    from sentence_transformers.base.evaluation import SequentialEvaluator
    from sentence_transformers.sparse_encoder.evaluation import SparseInformationRetrievalEvaluator

FIELDS = ("title", "text")


def evaluator(asked: Sequence[Evaluation], seed: int, batch_size: int = 32) -> SequentialEvaluator | None:
    """nDCG@10, MRR@10, recall@100, active dims and FLOPS on each dev split; None where none is asked for.

    A split is thinned to ``documents`` documents: those judged relevant for the drawn queries, and random others. Its
    figures compare checkpoints of one run; they are no test results.

    Raises:
        InputError: when a folder is no BEIR folder or a judged document is missing.
    """
    parts = [_evaluator(entry, seed, batch_size) for entry in asked]
    return SequentialEvaluator(parts, main_score_function=lambda scores: sum(scores) / len(scores)) if parts else None


def documents_of(corpus: Path) -> Iterator[tuple[str, str, str]]:
    """Id, title and text of each document of a BEIR folder or a JSON Lines file.

    Raises:
        InputError: naming the line that cannot be read.
    """
    for item in documents.read(str(corpus), FIELDS, allow_empty=True):
        if isinstance(item, documents.Reject):
            raise InputError(f"{item}; correct the line or leave it out")
        yield item.id, *(documents.text_of(item.source, (field,)) for field in FIELDS)  # type: ignore[misc]


def _evaluator(asked: Evaluation, seed: int, batch_size: int) -> SparseInformationRetrievalEvaluator:
    folder, generator = Path(asked.folder), random.Random(seed)
    queries = beir.read_queries(folder)
    corpus = {
        identifier: whole
        for identifier, title, text in documents_of(folder)
        if (whole := documents.text_of({"title": title, "text": text}, FIELDS))
    }
    qrels = beir.read_qrels(folder, asked.split)
    relevant = {
        query: {document for document, grade in judged.items() if grade > 0 and document in corpus}
        for query, judged in qrels.items()
        if query in queries
    }
    usable = sorted(query for query, found in relevant.items() if found)
    if not usable:
        raise InputError(f"{folder}: split {asked.split} has no judged query whose document is in the corpus")
    drawn = generator.sample(usable, min(asked.queries, len(usable)))
    kept = set().union(*(relevant[query] for query in drawn))
    others = sorted(corpus.keys() - kept)
    kept |= set(generator.sample(others, min(max(asked.documents - len(kept), 0), len(others))))
    return SparseInformationRetrievalEvaluator(
        queries={query: queries[query] for query in drawn},
        corpus={document: corpus[document] for document in sorted(kept)},
        relevant_docs={query: relevant[query] for query in drawn},
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[1],
        precision_recall_at_k=[100],
        map_at_k=[100],
        batch_size=batch_size,
        name=f"{folder.name}-{asked.split}",
        write_csv=False,
    )
