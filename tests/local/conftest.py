"""Fixtures for the embedded node's own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opensearch_lsr.local.node import Node

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def command_line() -> Command:
    """``command_line("cluster", "up", ...)``: the console command in a process of its own, which has ended."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", "from opensearch_lsr.cli.main import main; main()"]
        return subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=900)

    return run


@pytest.fixture
def node() -> Iterator[Node]:
    """A stopped node without data, and gone afterwards."""
    node = Node(f"tests-local-{os.getpid()}")
    node.stop(wipe=True)
    yield node
    node.stop(wipe=True)


@pytest.fixture
def foreign_process() -> Iterator[int]:
    """The pid of a process that is no node."""
    sleeper = shutil.which("sleep")
    assert sleeper
    with subprocess.Popen([sleeper, "600"], start_new_session=True) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def processes_of() -> Callable[[Node], list[int]]:
    """Every live process that was started with a node's config folder, recorded or not."""

    def find(node: Node) -> list[int]:
        wanted = f"OPENSEARCH_PATH_CONF={node.config}".encode()
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _is_alive_with(entry, wanted)]

    return find


def _is_alive_with(entry: Path, variable: bytes) -> bool:
    try:
        state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and variable in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # gone meanwhile, or another user's
        return False


@pytest.fixture
def no_java_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names no Java."""
    for name in [name for name in os.environ if name in ("OPENSEARCH_JAVA_HOME", "JAVA_HOME")]:
        monkeypatch.delenv(name)
