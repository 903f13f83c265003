"""All that a recipe learns from, in one set: labelled data, data sets of the Hub, pseudo-queries of corpora."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from opensearch_lsr.data import beir, documents, training_set
from opensearch_lsr.data.pseudo_queries import corpus_pseudo_queries
from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.data.unmatched import unmatched, words
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.training.recipe import Recipe

with needs_extra("train", "training"):
    import numpy as np
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

TOPIC_SIZE = 64


def gather(recipe: Recipe, on_step: Callable[[str], object] = lambda step: None) -> TrainingSet:
    """Read everything.

    Of a BEIR folder's corpus, documents that are judged in a split other than the recipe's, and not in that one, get
    no pseudo-queries: what a dev or test split asks for stays unseen.

    Raises:
        InputError: naming the file and line that cannot be used, or the setting when there is no data at all.
    """
    found = TrainingSet()
    for path in recipe.data.train:
        _add_rows(found, training_set.read(Path(path), recipe.data.split), recipe)
        on_step(f"{path}: {len(found.rows):,} rows so far")
    for name in recipe.data.hub:
        _add_rows(found, training_set.read_hub(name, recipe.data.split), recipe)
        on_step(f"{name}: {len(found.rows):,} rows so far")
    for path in recipe.data.pseudo_queries:
        _add_pseudo_queries(found, Path(path), recipe)
        on_step(f"{path}: {len(found.rows):,} rows so far")
    if not found.rows:
        raise InputError(f"recipe {recipe.name}: no data; set data.train, data.hub or data.pseudo_queries")
    if recipe.data.unmatched:
        _add_unmatched(found, recipe)
        on_step(f"queries without their document's words: {len(found.rows):,} rows")
    return found


def topics(data: TrainingSet, seed: int) -> np.ndarray:
    """Where documents lie by their words: float32 [documents, ≤ 64], truncated SVD of TF-IDF.

    Raises:
        InputError: when no two documents share words to tell topics by.
    """
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2, max_features=50_000)
    try:
        counts = words.fit_transform(data.documents)
    except ValueError as error:
        raise InputError("documents share too few words for topical batches; set batches.random_share = 1") from error
    size = max(1, min(TOPIC_SIZE, counts.shape[1] - 1))
    found: np.ndarray = TruncatedSVD(size, random_state=seed).fit_transform(counts).astype(np.float32)
    return found


def _add_rows(found: TrainingSet, read: TrainingSet, recipe: Recipe) -> None:
    """Rows and their texts; the rest of a corpus would only cost its teachers time."""
    rows, limit = read.rows, recipe.data.train_rows
    if limit and len(rows) > limit:
        rows = random.Random(recipe.seed).sample(rows, limit)
    for row in rows:
        found.add(read.queries[row.query], [read.documents[index] for index in row.documents], row.scores)


def _add_pseudo_queries(found: TrainingSet, corpus: Path, recipe: Recipe) -> None:
    unseen = _judged_elsewhere(corpus if corpus.is_dir() else corpus.parent, recipe.data.split)
    sources = [
        {"_id": identifier, "title": title, "text": text}
        for identifier, title, text in documents.read_titled(corpus)
        if identifier not in unseen
    ]
    if recipe.data.pseudo_documents and len(sources) > recipe.data.pseudo_documents:
        sources = random.Random(recipe.seed).sample(sources, recipe.data.pseudo_documents)
    for _, text, queries in corpus_pseudo_queries(sources, recipe.seed, recipe.data.pseudo_per_document):
        for query in queries:
            found.add(query.text, [text])


def _add_unmatched(found: TrainingSet, recipe: Recipe) -> None:
    rng, known = random.Random(recipe.seed), [words(text) for text in found.documents]
    for row in list(found.rows):
        left = unmatched(found.queries[row.query], known[row.documents[0]]) if row.scores is None else None
        if left and rng.random() < recipe.data.unmatched:
            found.add(left, [found.documents[index] for index in row.documents])


def _judged_elsewhere(folder: Path, split: str) -> set[str]:
    judged = {
        name: {document for row in beir.read_qrels(file).values() for document in row}
        for name, file in beir.splits(folder).items()
    }
    own = judged.pop(split, set())
    return set().union(*judged.values()) - own
