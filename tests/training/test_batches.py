"""The plan of a run: reproducible, balanced, topical where asked, and its errors."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import InputError
from opensearch_lsr.training.batches import Example, examples, plan
from opensearch_lsr.training.recipe import Batches


def many(count: int, queries: int = 3, negatives: int = 4) -> list[Example]:
    """Example n: document n, queries 10n, 10n + 1, …, and for each of these the negatives 100 · query + 1000, ….."""
    return [
        Example(
            n,
            tuple(range(10 * n, 10 * n + queries)),
            tuple(tuple(range(1000 + 100 * q, 1000 + 100 * q + negatives)) for q in range(10 * n, 10 * n + queries)),
        )
        for n in range(count)
    ]


def positives(drawn: Any, shape: Batches) -> Any:
    """[steps, size]."""
    return drawn[:, shape.queries].reshape(-1, shape.size)


def test_examples_of_a_set() -> None:
    """Two queries for one document, each with the negatives of its own rows."""
    data = TrainingSet()
    data.add("q0", ["d0", "n0"])
    data.add("q1", ["d1"])
    data.add("q2", ["d0", "n0", "d1"])
    data.add("q0", ["d1", "d0"])
    d0, n0, d1 = (data.documents.index(text) for text in ("d0", "n0", "d1"))
    assert examples(data) == [Example(d0, (0, 2), ((n0,), (n0, d1))), Example(d1, (1, 0), ((), (d0,)))]
    data.add("q0", ["d0"])  # again
    assert examples(data)[0].queries == (0, 2)


def test_shape_and_kind() -> None:
    shape = Batches(size=4, queries=2, documents=3)
    drawn = plan(many(10), shape, steps=5, seed=1)
    assert (drawn.shape, drawn.dtype) == ((20, 5), np.int32)


def test_a_row_is_one_examples() -> None:
    found = many(10)
    shape = Batches(size=4, queries=2, documents=3)
    for row in plan(found, shape, steps=9, seed=1).tolist():
        example = found[row[2]]
        assert row[2] == example.positive
        assert set(row[:2]) <= set(example.queries)
        theirs = {document for query in row[:2] for document in example.negatives[example.queries.index(query)]}
        assert set(row[3:]) <= theirs
        assert len(set(row[:2])) == len(set(row[3:])) == 2  # none twice while there are others


def test_more_asked_for_than_there_are() -> None:
    """One query and two negatives for three columns each: all of them, repeated."""
    row = plan(many(1, queries=1, negatives=2), Batches(size=1, queries=3, documents=4), steps=1, seed=1)[0].tolist()
    assert row[:4] == [0, 0, 0, 0]
    assert set(row[4:]) == {1000, 1001}


def test_the_seed_decides() -> None:
    found, shape = many(20), Batches(size=4, queries=2, documents=2, random_share=0.5)
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    first = plan(found, shape, 12, 1, vectors)
    np.testing.assert_array_equal(plan(found, shape, 12, 1, vectors), first)
    assert (plan(found, shape, 12, 2, vectors) != first).any()


def test_a_longer_plan_starts_as_the_shorter() -> None:
    found, shape = many(20), Batches(size=4)
    np.testing.assert_array_equal(plan(found, shape, 20, 1)[:32], plan(found, shape, 8, 1))


def test_every_example_is_drawn_before_any_is_drawn_twice() -> None:
    drawn = positives(plan(many(12), Batches(size=4), steps=9, seed=1), Batches(size=4))
    for epoch in drawn.reshape(3, 12):
        assert sorted(epoch) == list(range(12))
    assert (drawn[:3] != drawn[3:6]).any()  # in a new order


def test_no_example_twice_in_a_batch() -> None:
    vectors = np.random.default_rng(0).normal(size=(11, 3))
    for given, share in ((None, 1.0), (vectors, 0.0), (vectors, 0.5)):
        shape = Batches(size=4, random_share=share)
        for batch in positives(plan(many(11), shape, steps=12, seed=1, vectors=given), shape):
            assert len(set(batch)) == 4


def test_topical_batches_are_closer() -> None:
    """Documents of eight topics, shuffled: the mean distance within a batch falls with the share of topical ones."""
    generator = np.random.default_rng(0)
    topics = np.repeat(generator.normal(size=(8, 5)) * 10, 8, axis=0) + generator.normal(size=(64, 5))
    vectors = topics[generator.permutation(64)].astype(np.float32)

    def spread(share: float) -> float:
        shape = Batches(size=8, random_share=share)
        batches = positives(plan(many(64), shape, steps=24, seed=1, vectors=vectors), shape)
        return float(np.mean([vectors[batch].std(axis=0).mean() for batch in batches]))

    assert spread(0.0) < spread(0.5) < spread(1.0)
    assert spread(0.0) < 0.6 * spread(1.0)


def test_topical_batches_reach_all_examples() -> None:
    vectors = np.random.default_rng(0).normal(size=(32, 3))
    shape = Batches(size=8, random_share=0.0)
    drawn = positives(plan(many(32), shape, steps=4, seed=1, vectors=vectors), shape)
    assert Counter(drawn.ravel().tolist()) == Counter(range(32))


def test_vectors_are_looked_up_by_document() -> None:
    """Examples whose documents are 5 and 7 and so on: positions among the documents, not among the examples."""
    found = [Example(positive, (positive,), ((),)) for positive in (5, 7, 6, 8)]
    vectors = np.zeros((9, 1))
    vectors[5:, 0] = 1.0, 1.1, -1.0, -1.1  # of 5, 6, 7, 8; no two are equal, so any two halve them right
    shape = Batches(size=2, random_share=0.0)
    for batch in positives(plan(found, shape, steps=6, seed=1, vectors=vectors), shape).tolist():
        assert sorted(batch) in ([5, 6], [7, 8])


def test_equal_vectors() -> None:
    """No direction divides them: batches all the same."""
    shape = Batches(size=4, random_share=0.0)
    drawn = positives(plan(many(16), shape, steps=4, seed=1, vectors=np.ones((16, 2))), shape)
    assert Counter(drawn.ravel().tolist()) == Counter(range(16))


def test_too_few_examples() -> None:
    with pytest.raises(InputError, match="3 examples do not fill a batch of 4; add data or set batches.size"):
        plan(many(3), Batches(size=4), 1, 1)


def test_missing_negatives() -> None:
    found = [*many(3), Example(3, (30,), ((),))]
    with pytest.raises(InputError, match="documents = 2, but 3 of 4 documents come with hard negatives; mine some"):
        plan(found, Batches(size=4, documents=2), 1, 1)
    plan(found, Batches(size=4, documents=1), 1, 1)
    without = plan(found, Batches(size=3, documents=2), 5, 1)
    assert set(without[:, 1].tolist()) == {0, 1, 2}


def test_a_query_without_negatives_is_left_out_where_they_are_needed() -> None:
    found = [Example(0, (7, 8), ((), (5,)))]
    assert set(plan(found, Batches(size=1, documents=2), 20, 1)[:, 0].tolist()) == {8}
    assert set(plan(found, Batches(size=1, documents=1), 20, 1)[:, 0].tolist()) == {7, 8}
