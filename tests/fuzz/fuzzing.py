"""One case of fuzzing: drawn by hypothesis, watched, counted, and judged by the same rules everywhere."""

from __future__ import annotations

import faulthandler
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from opensearch_lsr.errors import LSRError

T = TypeVar("T")
HANGS = 60  # seconds: a case that takes longer fails; ten times as much processor time, in C, ends the process
LONGEST = 2000  # characters of a message
LONG = 4500  # cases of a surface in the long form
_CURRENT: list[Tally] = []


@dataclass
class Tally:
    """What a surface has seen: cases, those that were refused, seconds in all and of the slowest."""

    cases: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0


TALLIES: dict[str, Tally] = defaultdict(Tally)
faulthandler.register(signal.SIGPROF, chain=True)  # where it hangs, before the signal ends the process


class Hang(BaseException):  # not an Exception: nothing that is tested may take it for a fault of its input
    """A case took too long."""


def fuzz(surface: str, share: float = 1.0, **drawn: SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Make a test a fuzz test.

    Args:
        surface: what is fuzzed, for the count.
        share: cases by the profile's ``max_examples``; less for what is slow.
        drawn: the test's arguments; others are fixtures.
    """

    def decorate(test: Callable[..., None]) -> Any:
        @settings(
            max_examples=max(1, round(share * settings.default.max_examples)),
            deadline=None,
            derandomize=settings.default.max_examples < LONG,  # the suite tries the same cases each time
            suppress_health_check=list(HealthCheck),
        )
        @given(**drawn)
        @wraps(test)
        def case(*arguments: Any, **named: Any) -> None:
            with _counted(TALLIES[surface]), _watched():
                test(*arguments, **named)

        return case

    return decorate


def answer(call: Callable[[], T], *names: object) -> T | None:
    """What a call returns; None where it refuses, in one line that names one of ``names`` (a file, a setting)."""
    try:
        return call()
    except LSRError as error:
        refused(str(error), *names)
        return None


def refused(message: str, *names: object) -> None:
    """Count a refusal and check its message."""
    if _CURRENT:
        _CURRENT[-1].refused += 1
    assert message.strip() and message.isprintable(), f"not one line: {message!r}"
    assert len(message) <= LONGEST, f"{len(message)} characters: {message[:200]}"
    shown = [str(LSRError(str(name))) for name in names]
    assert not names or any(name in message for name in shown), f"does not say where: {message}"


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Nothing in a folder is made, changed or removed."""
    before = _state(folder)
    yield
    assert _state(folder) == before


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.exists()}


@contextmanager
def _counted(tally: Tally) -> Iterator[None]:
    begun = time.perf_counter()
    tally.cases += 1
    _CURRENT.append(tally)
    refused = tally.refused
    try:
        yield
    finally:
        _CURRENT.pop()
        tally.refused = min(tally.refused, refused + 1)  # of a case that asks twice
        took = time.perf_counter() - begun
        tally.seconds += took
        tally.slowest = max(tally.slowest, took)


@contextmanager
def _watched() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    signal.setitimer(signal.ITIMER_PROF, 10 * HANGS)
    try:
        yield
    except Hang as hang:
        raise AssertionError(f"no answer within {HANGS} s") from hang
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
