"""Profiles and the count: how many cases each surface had, as a table and, with ``--fuzz-json FILE``, as JSON.

The short form is part of the suite. The long one has over 100,000 cases::

    pytest tests/fuzz --hypothesis-profile long --fuzz-json fuzz.json
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzzing import LONG, TALLIES
from hypothesis import settings

settings.register_profile("long", max_examples=LONG, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-json", metavar="FILE", help="Write how many cases each surface had.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not TALLIES:
        return
    total = sum(tally.cases for tally in TALLIES.values())
    terminalreporter.section("fuzz cases")
    terminalreporter.line(f"{'':28}{'cases':>9}{'refused':>9}{'seconds':>9}{'slowest':>11}")
    for surface, tally in sorted(TALLIES.items()):
        slowest = f"{tally.slowest * 1000:,.0f} ms"
        terminalreporter.line(f"{surface:28}{tally.cases:9,}{tally.refused:9,}{tally.seconds:9,.0f}{slowest:>11}")
    terminalreporter.line(f"{'all':28}{total:9,}")
    if file := config.getoption("--fuzz-json", None):
        Path(file).write_text(json.dumps({name: vars(tally) for name, tally in sorted(TALLIES.items())}, indent=1))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty working directory; the home and cache folders are beside it, and there is no cluster and no Hub.

    What asks for more memory than this process has and 8 GB is refused by the system, not by its end.
    """
    folder = tmp_path_factory.mktemp("place")
    least, most = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 8_000_000_000, most))
    (folder / "work").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OPENSEARCH_")]:
            patch.delenv(name)
        for name in ("HOME", "XDG_CACHE_HOME", "OPENSEARCH_LSR_HOME", "HF_HOME"):
            patch.setenv(name, str(folder / name.lower()))
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        patch.chdir(folder / "work")
        yield folder / "work"
    resource.setrlimit(resource.RLIMIT_AS, (least, most))
