"""λ over a run, by the step and by the documents' length."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.training import schedules
from opensearch_lsr.training.schedules import DimsController, Schedule


def test_docstring_examples() -> None:
    results = doctest.testmod(schedules)
    assert (results.failed, results.attempted > 0) == (0, True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("linear", [0, 0.25, 0.5, 1, 1]),
        ("quadratic", [0, 0.0625, 0.25, 1, 1]),
        ("cosine", [0, (1 - 0.5**0.5) / 2, 0.5, 1, 1]),  # cos 45° = √½
    ],
)
def test_schedules(kind: Any, expected: list[float]) -> None:
    assert [Schedule(kind, 8).at(step) for step in (0, 2, 4, 8, 80)] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["constant", "linear", "quadratic", "cosine"])
def test_no_steps_is_the_full_weight_at_once(kind: Any) -> None:
    assert Schedule(kind, 0).at(0) == 1


@pytest.mark.parametrize("kind", ["linear", "quadratic", "cosine"])
def test_schedules_never_fall(kind: Any) -> None:
    factors = [Schedule(kind, 17).at(step) for step in range(30)]
    assert factors == sorted(factors)


def test_controller_moves_against_the_error() -> None:
    controller = DimsController(target=100, rate=0.5)
    assert controller.update(144) == pytest.approx(1.2)  # √1.44
    assert controller.update(100) == pytest.approx(1.2)
    assert controller.update(64) == pytest.approx(0.96)  # · √0.64


def test_controller_bounds_one_update_and_all_of_them() -> None:
    controller = DimsController(target=100, rate=1.0)
    assert controller.update(30_000) == 2  # no more than twice
    assert DimsController(target=100, rate=1.0).update(0) == 0.5
    assert [controller.update(30_000) for _ in range(10)][-1] == 100
    assert [controller.update(0) for _ in range(20)][-1] == 0.01


def test_controller_reaches_its_target() -> None:
    """Documents whose length falls as 1,000 / √λ: λ₀ = 1 must become 25 for 200 tokens."""
    controller = DimsController(target=200, rate=0.2)
    for _ in range(200):
        controller.update(1000 / controller.factor**0.5)
    assert controller.factor == pytest.approx(25, rel=1e-3)


def test_controller_weighs_the_length_of_the_moment() -> None:
    controller = DimsController(target=100, rate=0.5, gain=2.0)
    assert controller.update(144) == pytest.approx(1.2 * 1.44**2)
    assert controller.update(100) == pytest.approx(1.2)  # what was long is over
    assert controller.update(64) == pytest.approx(0.96 * 0.64**2)


def test_controller_lets_go_before_what_falls_by_itself_is_short() -> None:
    """Documents that sink to 110 / (1 + λ) tokens and never rise again: the integral alone cuts deeper."""

    def final(gain: float) -> float:
        controller, length = DimsController(target=60, rate=0.01, gain=gain), 110.0
        for _ in range(700):
            length -= 0.01 * max(0.0, length - 110 / (1 + controller.update(length)))
        return length

    assert final(gain=0.0) < 50 < 54 < final(gain=2.0) < 60


def test_controller_resumes() -> None:
    controller = DimsController(target=100, rate=0.3, gain=1.0)
    controller.update(170)
    resumed = DimsController(target=100, rate=0.3, gain=1.0)
    resumed.load_state_dict(controller.state_dict())
    assert resumed.update(120) == controller.update(120)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Schedule("cubic", 1), "schedule 'cubic'; it is one of constant, linear, quadratic, cosine"),  # type: ignore[arg-type]
        (lambda: Schedule("linear", -1), "schedule over -1 steps"),
        (lambda: DimsController(0, 0.1), "target of 0 active tokens"),
        (lambda: DimsController(100, 0), "rate 0 "),
        (lambda: DimsController(100, 0.1, -1), "gain -1 "),
    ],
)
def test_settings_out_of_range(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
