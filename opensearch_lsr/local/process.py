"""Processes told apart by their environment, signalled, and waited for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def runs(pid: int, variable: str) -> bool:
    """Whether a live process of that id was started with that ``NAME=value`` in its environment."""
    for _ in range(20):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if environment or state == "Z":
            break
        time.sleep(0.05)  # the kernel shows none while the start script becomes the JVM
    return state != "Z" and variable.encode() in environment.split(b"\0")


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that leads its own session, and its children with it."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def gone(pid: int, is_alive: Callable[[int], bool], timeout: float) -> bool:
    """Wait until it has ended; whether it did in ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # ours to reap when this process started it
        time.sleep(0.1)
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True
