"""Dot products, pruning by the processor's rules, JSONL."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_lsr.errors import InputError
from opensearch_lsr.sparse_vector import Prune, dot, read_jsonl, strongest, write_jsonl

VECTOR = {"a": 10.0, "b": 6.0, "c": 3.0, "d": 1.0}
vectors = st.dictionaries(st.text(max_size=5), st.floats(0.001, 100), max_size=20)


def test_dot_sums_over_shared_tokens() -> None:
    assert dot({"a": 2.0, "x": 5.0}, VECTOR) == 20.0
    assert dot({}, VECTOR) == 0


@given(vectors, vectors)
def test_dot_is_symmetric(one: dict[str, float], other: dict[str, float]) -> None:
    assert dot(one, other) == pytest.approx(dot(other, one))


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("max_ratio=0.3", "abc"),
        ("max_ratio=0.31", "ab"),
        ("abs_value=3", "abc"),
        ("alpha_mass=0.8", "ab"),
        ("top_k=1", "a"),
    ],
)
def test_prune_keeps_what_the_processor_keeps(rule: str, kept: str) -> None:
    assert set(Prune.parse(rule)(VECTOR)) == set(kept)


@given(vectors, st.sampled_from(["max_ratio=0.4", "abs_value=1", "alpha_mass=0.5", "top_k=3"]))
def test_prune_keeps_a_subset_and_never_a_weaker_entry_over_a_stronger(vector: dict[str, float], rule: str) -> None:
    kept = Prune.parse(rule)(vector)
    assert kept.items() <= vector.items()
    dropped = [weight for token, weight in vector.items() if token not in kept]
    assert not kept or not dropped or min(kept.values()) >= max(dropped)


@pytest.mark.parametrize(
    "rule",
    ["", "max_ratio", "max_ratio=1", "abs_value=0", "top_k=0", "top_k=1.5", "top_k=inf", "best=3", "abs_value=nan"],
)
def test_an_impossible_rule_is_refused(rule: str) -> None:
    with pytest.raises(InputError, match="prune rule"):
        Prune.parse(rule)


def test_the_processor_form_has_a_whole_number_for_top_k() -> None:
    assert Prune.parse("top_k=100").processor() == {"prune_type": "top_k", "prune_ratio": 100}


def test_strongest_is_stable() -> None:
    assert strongest({"b": 1.0, "a": 1.0, "c": 2.0}) == [("c", 2.0), ("a", 1.0), ("b", 1.0)]


@given(st.lists(st.tuples(st.text(max_size=5), vectors), max_size=5))
def test_jsonl_round_trip(rows: list[tuple[str, dict[str, float]]]) -> None:
    file = io.StringIO()
    assert write_jsonl(file, rows) == len(rows)
    file.seek(0)
    assert list(read_jsonl(file)) == rows


def test_a_bad_jsonl_line_is_named() -> None:
    with pytest.raises(InputError, match="vectors:2: not a"):
        list(read_jsonl(io.StringIO('{"id": "1", "vector": {}}\n{"id": 2}\n')))
