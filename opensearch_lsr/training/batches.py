"""The plan of a run: which texts each step sees, drawn once from the seed, so that a resumed run sees the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.training.recipe import Batches

with needs_extra("train", "training"):
    import numpy as np
    from datasets import Dataset
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

Array = np.ndarray
_MOVES = 5


@dataclass(frozen=True)
class Example:
    """A document, the queries that ask for it, and the hard negatives of each of these; all by index."""

    positive: int
    queries: tuple[int, ...]
    negatives: tuple[tuple[int, ...], ...]


def examples(data: TrainingSet) -> list[Example]:
    """One example for each document that is some query's positive, in order of its first row."""
    asked: defaultdict[int, defaultdict[int, dict[int, None]]] = defaultdict(lambda: defaultdict(dict))
    for row in data.rows:
        positive, *others = row.documents
        asked[positive][row.query].update(dict.fromkeys(others))
    return [Example(positive, tuple(found), tuple(map(tuple, found.values()))) for positive, found in asked.items()]


def with_negatives(found: list[Example]) -> list[Example]:
    """Without queries that have no hard negatives, and documents that have no other queries."""
    kept = []
    for example in found:
        pairs = [pair for pair in zip(example.queries, example.negatives, strict=True) if pair[1]]
        if pairs:
            queries, negatives = zip(*pairs, strict=True)
            kept.append(Example(example.positive, queries, negatives))
    return kept


def plan(found: list[Example], shape: Batches, steps: int, seed: int, vectors: Array | None = None) -> Array:
    """Draw the texts of every step.

    Args:
        found: examples to draw from.
        shape: sizes of a batch.
        steps: number of batches.
        seed: of everything drawn.
        vectors: float [documents, size], an embedding of each document by index; with it ``1 - random_share`` of the
            batches are topical: leaves of a balanced 2-means tree over the examples, a new tree each epoch.

    Returns:
        int32 [steps · size, queries + documents]: query indices, then document indices, the positive first.

    Raises:
        InputError: when there are fewer examples than a batch holds.
    """
    if shape.documents > 1:
        usable = with_negatives(found)
        if len(found) >= shape.size > len(usable):
            raise InputError(
                f"batches.documents = {shape.documents}, but {len(usable):,} of {len(found):,} documents come with "
                "hard negatives; mine some (opensearch-lsr mine, for a small corpus with --depth 1-200)"
            )
        found = usable
    if len(found) < shape.size:
        raise InputError(f"{len(found)} examples do not fill a batch of {shape.size}; add data or set batches.size")
    generator = np.random.default_rng(seed)
    batches = _batches(found, shape, generator, vectors)
    rows = [_draw(found[index], shape, generator) for _ in range(steps) for index in next(batches)]
    return np.array(rows, dtype=np.int32)


def dataset(data: TrainingSet, plan: Array, queries: int) -> Dataset:
    """What the trainer reads; texts are looked up as they are asked for.

    Args:
        data: the texts.
        plan: int [rows, columns], as :func:`plan` draws it.
        queries: how many of the columns are queries, the first ones.

    Returns:
        A column of texts for each of the plan's, named as in ``router_mapping``, and ``label``, the row of indices.
    """
    names = [f"query_{n + 1}" for n in range(queries)]
    names += [f"document_{n + 1}" for n in range(plan.shape[1] - queries)]

    def look_up(block: dict[str, list[Any]]) -> dict[str, list[Any]]:
        columns = np.array(block["label"]).T
        found: dict[str, list[Any]] = {
            name: [(data.queries if place < queries else data.documents)[index] for index in columns[place]]
            for place, name in enumerate(names)
        }
        return {**found, "label": block["label"]}

    return Dataset.from_dict({"label": plan.tolist()}).with_transform(look_up)


def in_order(dataset: Dataset, batch_size: int, drop_last: bool, **options: Any) -> DefaultBatchSampler:
    """A batch sampler for the trainer that shuffles nothing: the plan is drawn already."""
    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last, **options)


def _batches(
    found: list[Example], shape: Batches, generator: np.random.Generator, vectors: Array | None
) -> Iterator[Array]:
    places = np.array([example.positive for example in found])
    while True:
        order = generator.permutation(len(found))
        whole = len(order) // shape.size * shape.size
        scattered = order[:whole].reshape(-1, shape.size)
        epoch = list(scattered)
        if vectors is not None and shape.random_share < 1:
            leaves = np.array(list(_leaves(order, vectors[places], shape.size, generator)))
            random = round(len(leaves) * shape.random_share)
            epoch = [*leaves[generator.permutation(len(leaves))[random:]], *scattered[:random]]
        for index in generator.permutation(len(epoch)):
            yield epoch[index]


def _leaves(members: Array, vectors: Array, size: int, generator: np.random.Generator) -> Iterator[Array]:
    """Halve until ``size`` are left; what does not fill a leaf is dropped.

    A cut across the line through two random members, then moved to the line through the halves' means: documents of
    a leaf are twice as alike as after the first cut alone (mean cosine .35 against .17, on the default encoder's data).
    """
    if len(members) < 2 * size:
        if len(members) >= size:
            yield members[:size]
        return
    own = vectors[members].astype(np.float32)
    one, other = generator.choice(len(members), 2, replace=False)
    direction = own[one] - own[other]
    cut = len(members) // size // 2 * size
    for _ in range(_MOVES):
        order = np.argsort(own @ direction, kind="stable")
        direction = own[order[cut:]].mean(axis=0) - own[order[:cut]].mean(axis=0)
    yield from _leaves(members[order[:cut]], vectors, size, generator)
    yield from _leaves(members[order[cut:]], vectors, size, generator)


def _draw(example: Example, shape: Batches, generator: np.random.Generator) -> list[int]:
    asked = np.resize(generator.permutation(len(example.queries))[: shape.queries], shape.queries)
    queries = [example.queries[index] for index in asked]
    documents = [example.positive]
    if shape.documents > 1:
        theirs = list(dict.fromkeys(document for index in asked for document in example.negatives[index]))
        documents += [theirs[index] for index in np.resize(generator.permutation(len(theirs)), shape.documents - 1)]
    return queries + documents
