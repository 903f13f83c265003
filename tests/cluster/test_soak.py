"""The short form of benchmarks/soak: an application writes and searches through an alias that is migrated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opensearch_lsr.bundle import Bundle

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SOAK = Path(__file__).parents[2] / "benchmarks" / "soak" / "run.py"


def test_an_application_sees_no_error_while_its_alias_is_migrated(url: str, tiny: Bundle, tmp_path: Path) -> None:
    size = ["--minutes", "0.4", "--documents", "230", "--writes", "5"]
    command = [sys.executable, str(SOAK), str(tiny.path), "--url", url, "-o", str(tmp_path), *size]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (tmp_path / "soak.png").is_file(), done.stderr
    figures = json.loads((tmp_path / "soak.json").read_text())
    assert figures["errors"] == []
    requests, kept = figures["requests"], figures["kept"]
    assert requests["search"]["done"] > 100 and requests["search"]["empty"] == 0
    assert requests["write"]["done"] > 30
    assert figures["migration"]["copied"] >= 200
    assert kept == {"documents": kept["documents"], "lost": 0, "not_deleted": 0, "older_text": 0, "other_vector": 0}
