"""The dependency audit of ``.ci/run`` fails on what is known and new, and says when nothing could be known."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

AUDIT = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "audit.py"))
FINE: dict[str, Any] = {"name": "fine", "version": "1.0", "vulns": []}
KNOWN: dict[str, Any] = {
    "name": "holey",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"]}],
}
UNKNOWN = {"name": "ours", "skip_reason": "not on PyPI"}


def verdict(*packages: dict[str, Any], **allowed: str) -> tuple[bool, list[str]]:
    result: tuple[bool, list[str]] = AUDIT["verdict"]({"dependencies": list(packages)}, allowed)
    return result


def test_what_is_known_and_new_fails() -> None:
    assert verdict(FINE, KNOWN) == (
        False,
        ["holey 2.0: PYSEC-1 (fixed in 2.1); NEW", "dependencies audited: 2, not audited: 0"],
    )


def test_what_is_allowed_is_shown_with_its_reason() -> None:
    sound, lines = AUDIT["verdict"]({"dependencies": [KNOWN]}, {"CVE-1": "not reached from here"})
    assert sound
    assert "not reached from here" in lines[0]


def test_what_cannot_be_audited_is_said() -> None:
    assert verdict(FINE, UNKNOWN) == (True, ["dependencies audited: 1, not audited: 1"])
    assert verdict(UNKNOWN, UNKNOWN) == (True, ["dependencies not audited: not on PyPI"])
