"""What this process holds, looked at now and then (Linux)."""

from __future__ import annotations

import os
import threading
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Held:
    """Seconds since the start, MiB of resident memory, open descriptors, threads."""

    at: array[float] = field(default_factory=lambda: array("d"))
    mib: array[float] = field(default_factory=lambda: array("d"))
    descriptors: array[float] = field(default_factory=lambda: array("d"))
    threads: array[float] = field(default_factory=lambda: array("d"))


class Watch:
    """Looks every few seconds, in a thread of its own.

    Args:
        every: seconds.
    """

    def __init__(self, every: float) -> None:
        self.held = Held()
        self._every, self._stop = every, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.held.at.append(time.monotonic() - self._started)
            self.held.mib.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20)
            self.held.descriptors.append(sum(1 for _ in Path("/proc/self/fd").iterdir()))
            self.held.threads.append(threading.active_count())
