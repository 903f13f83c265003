"""Figures of measured times, on times that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from opensearch_lsr.evaluation import percentiles, samples
from opensearch_lsr.evaluation.asking import Answer
from opensearch_lsr.evaluation.samples import Samples


def times(scale: float = 1.0, rounds: int = 5, queries: int = 40) -> np.ndarray:
    """Skewed times of queries that differ, alike over rounds."""
    chance = np.random.default_rng(0)
    return scale * (1 + chance.exponential(3, queries)[None] + chance.normal(0, 0.05, (rounds, queries)))


def measured(total: np.ndarray) -> Samples:
    return Samples(total * 0.25, total * 0.75, total, np.floor(total))


def test_failures_count_as_slower_than_all() -> None:
    one_of_21 = np.arange(21.0)[None]
    one_of_21[0, 20] = np.nan
    found = percentiles.percentiles(one_of_21)
    assert found == {"p50": 10.0, "p90": 18.0, "p95": 19.0, "p99": None, "mean": None}
    one_of_21[0, 20] = 1e9  # what it might have taken changes nothing of what is told
    late = percentiles.percentiles(one_of_21)
    assert late is not None
    assert [late[name] for name in ("p50", "p90", "p95")] == [10.0, 18.0, 19.0]
    assert percentiles.percentiles(np.full((2, 2), np.nan)) is None


def test_a_system_that_gives_up_on_the_slow_queries_is_not_faster() -> None:
    everything, gave_up = times(), times()
    gave_up[gave_up > np.percentile(gave_up, 80)] = np.nan
    found = percentiles.ratios(gave_up, everything, seed=1)
    assert found is not None
    assert found["p50"]["value"] == pytest.approx(1.0)
    assert found["p50"]["low"] == pytest.approx(1.0)
    assert found["p95"] == found["mean"] == dict.fromkeys(("value", "low", "high"))
    turned = percentiles.ratios(everything, gave_up, seed=1)
    assert turned is not None
    assert turned["p95"]["value"] is None
    assert percentiles.ratios(everything, np.full_like(everything, np.nan), seed=1) is None


def test_an_interval_that_reaches_into_failures_has_no_ends_there() -> None:
    """45 % fail: the median is known, that of some draws is not."""
    failing = times()
    failing[:, np.argsort(failing[0])[22:]] = np.nan
    found = percentiles.ratios(failing, times(), seed=1)
    assert found is not None
    assert found["p50"] == {"value": pytest.approx(1.0), "low": None, "high": None}


def test_a_system_twice_as_slow_has_ratio_two_without_doubt() -> None:
    found = percentiles.ratios(times(2.0, queries=500), times(queries=500), seed=1)
    assert found is not None
    for name in ("p50", "p95", "p99", "mean"):
        assert found[name] == {key: pytest.approx(2.0) for key in ("value", "low", "high")}


@pytest.mark.parametrize(
    ("queries", "told"),
    [(9, ["mean"]), (10, ["p50", "mean"]), (100, ["p50", "p95", "mean"]), (500, [*percentiles.RATIOS])],
)
def test_no_interval_from_fewer_than_five_queries_above(queries: int, told: list[str]) -> None:
    found = percentiles.ratios(times(2.0, queries=queries), times(queries=queries), seed=1)
    assert found is not None
    assert [name for name, one in found.items() if one["low"] is not None and one["high"] is not None] == told
    assert all(one["value"] == pytest.approx(2.0) for one in found.values())


def test_the_interval_of_two_alike_holds_one_and_that_of_noise_is_wide() -> None:
    chance = np.random.default_rng(3)
    one, other = chance.exponential(3, (5, 40)), chance.exponential(3, (5, 40))
    found = percentiles.ratios(one, other, seed=1)
    assert found is not None
    low, high = found["p50"]["low"], found["p50"]["high"]
    assert low
    assert high
    assert low < 1 < high
    assert found == percentiles.ratios(one, other, seed=1)


def test_queries_are_what_is_drawn_not_times() -> None:
    few, many = times(queries=4), np.repeat(times(queries=4), 50, axis=0)  # the same 4 queries, 50 times as often
    other = np.random.default_rng(1).permuted(few, axis=1)
    narrow = percentiles.ratios(many, np.repeat(other, 50, axis=0), seed=1)
    wide = percentiles.ratios(few, other, seed=1)
    assert narrow is not None
    assert wide is not None
    assert narrow["mean"]["high"] == pytest.approx(wide["mean"]["high"])  # more rounds do not make more queries


def test_summary_of_two_systems_one_of_which_fails_at_times() -> None:
    slow = measured(times(3.0))
    for part in samples.PARTS:
        getattr(slow, part)[0, :2] = np.nan
    slow.errors.update(["429 too many requests"] * 2)
    found = {one["name"]: one for one in percentiles.summary({"bm25": measured(times()), "slow": slow}, "bm25", 1)}
    assert found["bm25"]["ratio"] is None
    assert found["bm25"]["queries"] == 200
    assert (found["slow"]["queries"], found["slow"]["errors"]) == (198, 2)
    assert found["slow"]["error_reasons"] == {"429 too many requests": 2}
    assert found["slow"]["ratio"]["p50"]["value"] == pytest.approx(3.0, rel=0.05)
    assert found["slow"]["ratio"]["mean"]["value"] is None
    assert found["slow"]["encode_ms"]["p50"] == pytest.approx(found["slow"]["total_ms"]["p50"] / 4)
    assert found["slow"]["per_s"] is None  # systems took turns
    for one in found.values():
        assert one["histogram"]["edges_ms"] == found["bm25"]["histogram"]["edges_ms"]
        assert sum(one["histogram"]["counts"]) == one["queries"]


def test_a_system_that_never_answers_has_no_figures() -> None:
    never = measured(np.full((2, 3), np.nan))
    found = percentiles.summary({"bm25": measured(times(rounds=2, queries=3)), "never": never}, "bm25", 1)[1]
    assert (found["queries"], found["total_ms"], found["ratio"], found["per_s"]) == (0, None, None, None)
    (alone,) = percentiles.summary({"never": never}, "never", 1)
    assert alone["histogram"] is None


def test_queries_a_second_count_the_time_of_failures() -> None:
    one = measured(times(rounds=1, queries=10))
    one.seconds = 2.0
    one.total[0, :5] = np.nan
    assert one.per_s == 2.5


def test_beyond_what_a_system_can_take_only_the_rate_is_told() -> None:
    steady, behind, failing = (measured(times(rounds=1)) for _ in range(3))
    steady.seconds, behind.seconds, failing.seconds = 0.8, 0.9, 0.8
    failing.total[0, :4] = np.nan  # answers at once that there are none
    found = {
        one["name"]: one
        for one in percentiles.summary({"bm25": steady, "behind": behind, "failing": failing}, "bm25", 1, offered=50)
    }
    assert (found["bm25"]["sustained"], found["bm25"]["achieved_per_s"]) == (True, pytest.approx(50))
    assert found["bm25"]["total_ms"] and found["bm25"]["histogram"]
    for name, achieved in (("behind", 40 / 0.9), ("failing", 36 / 0.8)):
        one = found[name]
        assert (one["sustained"], one["offered_per_s"]) == (False, 50)
        assert one["achieved_per_s"] == one["per_s"] == pytest.approx(achieved)
        assert [one[key] for key in ("total_ms", "request_ms", "encode_ms", "took_ms", "ratio", "histogram")] == [
            None
        ] * 6
    against_none = percentiles.summary({"bm25": behind, "tokens": steady}, "bm25", 1, offered=50)
    assert against_none[1]["ratio"] is None
    assert "sustained" not in percentiles.summary({"bm25": behind}, "bm25", 1)[0]


def test_slopes_by_size() -> None:
    by_size = {
        "bm25": {size: times() + 2.0 * size / 1e6 for size in (10_000, 100_000, 1_000_000)},
        "lsr": {size: times() + 5.0 * size / 1e6 for size in (10_000, 100_000, 1_000_000)},
        "once": {10_000: times()},
    }
    found = percentiles.slopes(by_size, "bm25", seed=1)
    assert set(found) == {"bm25", "lsr"}
    assert found["lsr"]["ms_per_million"] == pytest.approx(5.0)
    assert found["lsr"]["low"] == pytest.approx(5.0)
    for key in ("ratio_to_baseline", "ratio_low", "ratio_high"):
        assert found["lsr"][key] == pytest.approx(2.5)
        assert found["bm25"][key] == pytest.approx(1.0)
    few = {name: {size: one[:, :9] for size, one in sizes.items()} for name, sizes in by_size.items()}
    assert percentiles.slopes(few, "bm25", seed=1)["lsr"] == {
        "ms_per_million": pytest.approx(5.0),
        **dict.fromkeys(("low", "high", "ratio_to_baseline", "ratio_low", "ratio_high")),
    }
    falling = {name: {size: 10 - one for size, one in found.items()} for name, found in by_size.items()}
    assert percentiles.slopes(falling, "bm25", seed=1)["lsr"]["ratio_to_baseline"] is None


def test_the_slopes_of_a_draw_are_divided_not_their_ends() -> None:
    """Long queries are slow for both: their ratio is surer than either slope."""
    sizes = (10_000, 100_000, 1_000_000)
    by_size = {name: {size: times() * factor * size for size in sizes} for name, factor in (("bm25", 1), ("lsr", 3))}
    found = percentiles.slopes(by_size, "bm25", seed=1)
    assert found["bm25"]["low"] < found["bm25"]["ms_per_million"] < found["bm25"]["high"]  # type: ignore[operator]
    assert found["lsr"]["ratio_low"] == pytest.approx(3.0)
    assert found["lsr"]["ratio_high"] == pytest.approx(3.0)
    by_size["lsr"][1_000_000][:, :30] = np.nan
    failing = percentiles.slopes(by_size, "bm25", seed=1)["lsr"]
    assert set(failing.values()) == {None}


def test_samples_are_kept_whole(tmp_path: Path) -> None:
    one = Samples.empty(2, 3)
    one.put(1, 2, Answer([], encode_ms=0.5, request_ms=2.0, took_ms=1.0))
    one.put(0, 0, Answer([], encode_ms=0.5, request_ms=2.0, took_ms=1.0), total_ms=9.0)
    assert one.answered == 2
    assert (one.total[1, 2], one.total[0, 0]) == (2.5, 9.0)
    samples.save(tmp_path / "kept.npz", {"two-phase": one, "bm25": measured(times())})
    with np.load(tmp_path / "kept.npz") as stored:  # NumPy 1 keeps a keyword that it does not know as an array
        assert sorted(stored.files) == sorted(
            f"{name}/{part}" for name in ("two-phase", "bm25") for part in samples.PARTS
        )
    back = samples.load(tmp_path / "kept.npz")
    assert list(back) == ["two-phase", "bm25"]
    for part in samples.PARTS:
        np.testing.assert_array_equal(getattr(back["two-phase"], part), getattr(one, part))
    assert [file.name for file in tmp_path.iterdir()] == ["kept.npz"]
