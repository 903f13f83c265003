"""Parts of time, and parts inside them."""

from __future__ import annotations

import pytest

from opensearch_lsr import timings
from opensearch_lsr.timings import Timings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """``clock[0]`` is the time."""
    now = [100.0]
    monkeypatch.setattr(timings.time, "perf_counter", lambda: now[0])
    return now


def test_parts_inside_a_part_are_taken_off_it(clock: list[float]) -> None:
    measured = Timings()
    with measured.part("encode"):
        clock[0] += 2
        with measured.part("read"):
            clock[0] += 3
            with measured.part("unzip"):
                clock[0] += 4
        clock[0] += 1
    clock[0] += 10
    assert measured.seconds == {"unzip": 4, "read": 3, "encode": 3}
    assert measured.shares() == [
        ("unzip", 4, 0.2),
        ("read", 3, 0.15),
        ("encode", 3, 0.15),
        ("the rest", 10, 0.5),
        ("total", 20, 1),
    ]


def test_getting_items_counts_and_using_them_does_not(clock: list[float]) -> None:
    def slow() -> list[int]:
        for item in (1, 2):
            clock[0] += 5
            yield item
        clock[0] += 1

    measured = Timings()
    for _ in measured.each("read", slow()):
        clock[0] += 7
    assert measured.seconds == {"read": 11}


def test_an_error_ends_a_part(clock: list[float]) -> None:
    measured = Timings()
    with pytest.raises(ValueError), measured.part("encode"):
        clock[0] += 2
        raise ValueError
    with measured.part("encode"):
        clock[0] += 1
    assert measured.seconds == {"encode": 3}
