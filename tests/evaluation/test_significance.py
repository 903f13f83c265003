"""Paired comparisons against what other ways to the same figures give."""

from __future__ import annotations

from itertools import product

import pytest

np = pytest.importorskip("numpy")
stats = pytest.importorskip("scipy.stats")

from opensearch_lsr.evaluation.significance import compare, holm  # noqa: E402  # needs scipy

# Student's sleep data (Biometrika 6, 1908): extra hours by two drugs, ten patients; paired t = 4.0621, p = .00283
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def named(values: list[float]) -> dict[str, float]:
    return {f"q{number}": float(value) for number, value in enumerate(values)}


def values(seed: int, queries: int, gain: float) -> tuple[dict[str, float], dict[str, float]]:
    rng = np.random.default_rng(seed)
    other = rng.random(queries)
    return named(other + rng.normal(gain, 0.2, queries)), named(other)


def test_known_data() -> None:
    found = compare(named(SLEEP_2), named(SLEEP_1), seed=1)
    assert found.difference == pytest.approx(1.58)
    assert (found.wins, found.ties, found.losses) == (9, 1, 0)
    signed = [
        sum(s * d for s, d in zip(signs, np.subtract(SLEEP_2, SLEEP_1), strict=True))
        for signs in product((-1, 1), repeat=10)
    ]
    exact = sum(abs(total) >= 15.8 - 1e-9 for total in signed) / len(signed)
    assert exact == 4 / 1024  # all nine or all but none, and the tie either way
    assert found.p == pytest.approx(exact)
    assert found.low is not None
    assert found.high is not None
    assert 0.7 < found.low < 1.1  # the t interval is .70 to 2.46; the bootstrap's is narrower with ten patients
    assert 2.1 < found.high < 2.46


@pytest.mark.parametrize(("seed", "gain"), [(1, 0.0), (2, 0.01), (3, 0.03), (4, -0.03)])
def test_with_many_queries_the_t_test_agrees(seed: int, gain: float) -> None:
    system, other = values(seed, 400, gain)
    found = compare(system, other, seed)
    t = stats.ttest_rel(list(system.values()), list(other.values()))
    interval = t.confidence_interval(0.95)
    assert found.p == pytest.approx(t.pvalue, abs=0.015)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.002)
    assert found.difference == pytest.approx(np.mean(list(system.values())) - np.mean(list(other.values())))


def test_the_interval_is_the_percentile_bootstraps() -> None:
    rng = np.random.default_rng(5)
    skewed = rng.exponential(0.1, 40) * rng.integers(0, 2, 40)
    found = compare(named(skewed), named([0.0] * 40), seed=5)
    means = skewed[rng.integers(0, 40, (20_000, 40))].mean(axis=1)
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.003)


def test_equal_arguments_give_equal_results_in_any_order() -> None:
    system, other = values(6, 100, 0.02)
    found = compare(system, other, 6)
    assert compare(dict(reversed(system.items())), other, 6) == found
    assert compare(system, other, 7) != found
    turned = compare(other, system, 6)
    assert (turned.difference, turned.wins, turned.losses) == (-found.difference, found.losses, found.wins)


def test_systems_that_do_not_differ() -> None:
    same = compare({"a": 0.1 + 0.2, "b": 0.5}, {"a": 0.3, "b": 0.5}, 1)  # but for rounding
    assert (same.difference, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    assert (same.wins, same.ties, same.losses) == (0, 2, 0)


def test_one_query_has_a_difference_and_no_interval() -> None:
    found = compare({"a": 1.0}, {"a": 0.25}, 1)
    assert (found.difference, found.low, found.high, found.p, found.wins) == (0.75, None, None, None, 1)


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": 0.03, "c": 0.06, "b": 0.06}
    assert holm({"a": 0.6, "b": 0.7, "c": 0.01}) == {"c": 0.03, "a": 1.0, "b": 1.0}
    assert holm({"alone": 0.04}) == {"alone": 0.04}
    assert holm({}) == {}


def test_holm_lies_between_no_correction_and_bonferronis() -> None:
    p = {str(n): float(value) for n, value in enumerate(np.random.default_rng(8).random(20) ** 3)}
    found, m = holm(p), len(p)
    for name, value in p.items():
        smaller = [other for other in p.values() if other <= value]
        expected = max(min(1.0, other * (m - sum(one < other for one in p.values()))) for other in smaller)
        assert found[name] == pytest.approx(expected)
        assert value <= found[name] <= min(1.0, m * value)  # between none and Bonferroni


@pytest.mark.parametrize("other", [{"a": 1.0}, {"a": 1.0, "c": 1.0}, {}])
def test_only_the_same_queries_are_compared(other: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a paired comparison needs the same"):
        compare({"a": 1.0, "b": 1.0} if other else {}, other, 1)
