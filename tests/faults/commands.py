"""The command line as a user runs it, beside whom something happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from content import Texts

HERE = Path(__file__).parent
KILLED = HERE.parent / "cluster"  # scripts that kill themselves at a request
TIMEOUT = 400.0


class Command:
    """A command under way.

    Args:
        url: the cluster, or a proxy before it.
        arguments: of ``opensearch-lsr``.
        script: run instead of it.
    """

    def __init__(self, url: str, *arguments: str, script: tuple[str, ...] = ()) -> None:
        own = [str(script[0]), *script[1:]] if script else ["-m", "opensearch_lsr.cli"]
        self._folder = TemporaryDirectory()  # for the rejects file
        self._process = subprocess.Popen(
            [sys.executable, *own, *arguments],
            env={**os.environ, "OPENSEARCH_URL": url},
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.code, self.said = -1, ""

    @property
    def stdin(self) -> Any:
        return self._process.stdin

    def kill(self) -> None:
        """As ``kill -9``."""
        self._process.kill()

    def end(self) -> Command:
        """Wait until it has ended."""
        printed, self.said = self._process.communicate(timeout=TIMEOUT)
        self.code = self._process.returncode
        self._folder.cleanup()
        if self.code not in (0, 1, 3, -9):
            raise AssertionError(f"exit code {self.code}: {printed}{self.said}")
        if "Traceback" in self.said:
            raise AssertionError(self.said)
        return self

    @property
    def seen(self) -> str:
        """What the user sees: the end, and the last line of stderr without what differs from run to run."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        end = {0: "done", -9: "killed"}.get(self.code, f"exit code {self.code}")
        return f"{end}: {_general(lines[-1])}" if lines else end


def repair(url: str, alias: str) -> None:
    """What the doctor offers for a model that is on no node."""
    done = Command(url, "doctor", "--alias", alias, "--repair").end()
    assert done.code in (0, 3), done.said  # 3: documents without vectors, say, while they are indexed


class Load(Command):
    """``opensearch-lsr index -``, fed at a rate, so that there is a middle.

    Args:
        url: the cluster, or a proxy before it.
        alias: the target.
        documents: what is fed.
        seconds: how long that takes.
        options: of the command.
    """

    def __init__(
        self, url: str, alias: str, documents: Texts, *options: str, seconds: float = 3.0, **more: Any
    ) -> None:
        super().__init__(url, "index", "-", "--alias", alias, *options, **more)
        lines = [json.dumps({"_id": one, "text": text}) + "\n" for one, text in documents.items()]
        self._lines, self._seconds, self._fed = lines, seconds, 0
        self._go = threading.Event()
        self._go.set()
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def _feed(self) -> None:
        portion = max(1, len(self._lines) // 50)
        with suppress(OSError, ValueError):  # it ended before
            while self._fed < len(self._lines):
                self._go.wait()
                self.stdin.write("".join(self._lines[self._fed : self._fed + portion]))
                self.stdin.flush()
                self._fed += portion
                time.sleep(self._seconds / 50)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing more is fed meanwhile."""
        self._go.clear()
        yield
        self._go.set()

    def await_share(self, share: float) -> None:
        """Until that share of the documents was fed."""
        deadline = time.monotonic() + TIMEOUT
        while self._fed < share * len(self._lines) and self._feeder.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def end(self) -> Load:
        self._feeder.join(TIMEOUT)
        super().end()
        return self


def _general(line: str) -> str:
    line = re.sub(r"http://127\.0\.0\.1:\d+", "URL", line)
    line = re.sub(r"\b[a-z]+-\d+(-[0-9a-f]{8})?\b", "INDEX", line)
    line = re.sub(r"asked \d+ times in \d+ s", "asked N times in N s", line)
    line = re.sub(r"\d[\d,.]*(/[\d.]+(kb|mb|gb))?", "N", line)
    return line if len(line) <= 160 else line[:159] + "…"
