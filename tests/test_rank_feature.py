"""What a rank feature keeps of a weight."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_lsr.rank_feature import kept, short


@pytest.mark.parametrize(
    ("weight", "bits"),
    [(1.0, 127 << 8), (1.0039, 127 << 8), (1.00390625, (127 << 8) + 1), (2.0, 128 << 8), (0.75, (126 << 8) + 128)],
)
def test_eight_bits_after_the_binary_point(weight: float, bits: int) -> None:
    assert kept(weight) == bits


@given(st.floats(1e-6, 64))
def test_the_same_feature_in_few_digits(weight: float) -> None:
    (got,) = short({"tap": weight}).values()
    assert kept(got) == kept(weight)
    assert got == pytest.approx(weight, rel=1 / 256)
    assert len(json.dumps(got).lstrip("0.").replace(".", "").split("e")[0]) <= 4
    assert short({"tap": got}) == {"tap": got}


def test_what_float32_does_not_hold_is_left_for_the_cluster_to_refuse() -> None:
    assert short({"a": math.inf, "b": 1e300}) == {"a": math.inf, "b": 1e300}
    assert math.isnan(short({"a": math.nan})["a"])


def test_it_is_shorter() -> None:
    weights = {str(i): math.log1p(i / 100) for i in range(1, 300)}
    assert len(json.dumps(short(weights))) < 0.6 * len(json.dumps(weights))
    assert short({}) == {}
