"""Maxima of parts' vectors made like the vectors of documents that are encoded whole."""

from __future__ import annotations

import random

import pytest

from opensearch_lsr.evaluation import likeness
from opensearch_lsr.evaluation.likeness import Likeness


def test_the_example_by_hand() -> None:
    found = likeness.measure([{"a": 4.0, "b": 2.0}], [{"a": 3.0}])
    assert found == Likeness(0.5, 0.75, 1)
    assert found({"a": 2.0, "c": 1.0}) == {"a": 1.5}


def test_entries_and_weights_are_as_many_as_in_encoded_documents() -> None:
    chance = random.Random(1)
    maxima = [{f"t{n}": chance.uniform(0.1, 3) for n in range(chance.randint(50, 400))} for _ in range(100)]
    encoded = [{t: 0.7 * w**0.9 for t, w in one.items() if w > 0.6} for one in maxima]
    found = likeness.measure(maxima, encoded)
    made = [found(one) for one in maxima]
    assert sum(map(len, made)) == pytest.approx(sum(map(len, encoded)), rel=0.01)
    assert sum(sum(v.values()) for v in made) == pytest.approx(sum(sum(v.values()) for v in encoded), rel=1e-6)
    for maximum, vector in zip(maxima, made, strict=True):  # the strongest, in proportion
        least = min(vector, key=vector.__getitem__)
        assert vector.keys() == {token for token, weight in maximum.items() if weight >= maximum[least]}
        assert vector == pytest.approx({token: found.scale * maximum[token] for token in vector})


def test_without_documents_or_weights_nothing_changes() -> None:
    assert likeness.measure([], []) == Likeness(1.0, 1.0, 0)
    assert likeness.measure([{}], [{}])({"a": 2.0}) == {"a": 2.0}


def test_documents_and_vectors_must_fit() -> None:
    with pytest.raises(ValueError, match="shorter"):
        likeness.measure([{"a": 1.0}], [])
