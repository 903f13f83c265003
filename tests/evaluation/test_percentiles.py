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


def test_percentiles_leave_failures_out() -> None:
    found = percentiles.percentiles(np.array([[1.0, 2.0, np.nan], [3.0, np.nan, 4.0]]))
    assert found is not None
    assert found["p50"] == 2.5
    assert found["mean"] == 2.5
    assert percentiles.percentiles(np.full((2, 2), np.nan)) is None


def test_a_system_twice_as_slow_has_ratio_two_without_doubt() -> None:
    found = percentiles.ratios(times(2.0), times(), seed=1)
    assert found is not None
    for name in ("p50", "p95", "p99", "mean"):
        assert found[name] == {key: pytest.approx(2.0) for key in ("value", "low", "high")}


def test_the_interval_of_two_alike_holds_one_and_that_of_noise_is_wide() -> None:
    chance = np.random.default_rng(3)
    one, other = chance.exponential(3, (5, 40)), chance.exponential(3, (5, 40))
    found = percentiles.ratios(one, other, seed=1)
    assert found is not None
    assert found["p50"]["low"] < 1 < found["p50"]["high"]
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
    assert found["slow"]["ratio"]["mean"]["value"] == pytest.approx(3.0, rel=0.05)
    assert found["slow"]["encode_ms"]["p50"] == pytest.approx(found["slow"]["total_ms"]["p50"] / 4)
    assert found["bm25"]["per_s"] == pytest.approx(1000 / times().mean())
    for one in found.values():
        assert one["histogram"]["edges_ms"] == found["bm25"]["histogram"]["edges_ms"]
        assert sum(one["histogram"]["counts"]) == one["queries"]


def test_a_system_that_never_answers_has_no_figures() -> None:
    never = measured(np.full((2, 3), np.nan))
    found = percentiles.summary({"bm25": measured(times(rounds=2, queries=3)), "never": never}, "bm25", 1)[1]
    assert (found["queries"], found["total_ms"], found["ratio"], found["per_s"]) == (0, None, None, None)
    (alone,) = percentiles.summary({"never": never}, "never", 1)
    assert alone["histogram"] is None


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
    assert found["lsr"]["ratio_to_baseline"] == pytest.approx(2.5)
    falling = {name: {size: 10 - one for size, one in found.items()} for name, found in by_size.items()}
    assert percentiles.slopes(falling, "bm25", seed=1)["lsr"]["ratio_to_baseline"] is None


def test_samples_are_kept_whole(tmp_path: Path) -> None:
    one = Samples.empty(2, 3)
    one.put(1, 2, Answer([], encode_ms=0.5, request_ms=2.0, took_ms=1.0))
    one.put(0, 0, Answer([], encode_ms=0.5, request_ms=2.0, took_ms=1.0), total_ms=9.0)
    assert one.answered == 2
    assert (one.total[1, 2], one.total[0, 0]) == (2.5, 9.0)
    samples.save(tmp_path / "kept.npz", {"two-phase": one, "bm25": measured(times())})
    back = samples.load(tmp_path / "kept.npz")
    assert list(back) == ["two-phase", "bm25"]
    for part in samples.PARTS:
        np.testing.assert_array_equal(getattr(back["two-phase"], part), getattr(one, part))
    assert [file.name for file in tmp_path.iterdir()] == ["kept.npz"]
