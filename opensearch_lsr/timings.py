"""Where the time of one thread went: named parts of it, added up; what lies inside another part is taken off that."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Timings:
    """Seconds by part, for one thread.

    Attributes:
        seconds: part → seconds in it, without what parts inside it took.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.perf_counter()
        self._inside = [0.0]  # seconds of finished parts inside each open one

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """All within it counts as ``name``."""
        started = time.perf_counter()
        self._inside.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + took - self._inside.pop()
            self._inside[-1] += took

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """The same items; getting each of them counts as ``name``, what is done with it does not."""
        remaining = iter(items)
        while True:
            with self.part(name):
                try:
                    item = next(remaining)
                except StopIteration:
                    return
            yield item

    def shares(self) -> list[tuple[str, float, float]]:
        """(part, seconds, share of all the time since it was made), ``the rest`` and ``total`` last."""
        total = time.perf_counter() - self._started
        parts = self.seconds | {"the rest": max(0.0, total - sum(self.seconds.values())), "total": total}
        return [(name, seconds, seconds / total) for name, seconds in parts.items()]
