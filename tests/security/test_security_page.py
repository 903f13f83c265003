"""SECURITY.md names tests and roles that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_what_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:tests|\.ci)/[\w./-]+)`", PAGE)) | set(re.findall(r"\]\((\w[\w./-]+)\)", PAGE))
    assert len(named) > 12
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_role_and_every_test_is_on_the_page() -> None:
    files = [*(ROOT / "pipelines" / "roles").iterdir(), *Path(__file__).parent.glob("test_*.py")]
    assert [file.name for file in files if file.name not in PAGE] == [Path(__file__).name]
