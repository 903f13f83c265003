"""``run/log.jsonl``: a line of figures each time something is logged, shown as it is written.

Lines of the adaptation have ``adaptation_step``, those of the training ``step``. The log of a run that was interrupted
and resumed is that of one that never was: what comes again is dropped first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

FILE = "log.jsonl"
OnLog = Callable[[int, int, dict[str, float]], object]


class RunLog:
    """Writes and shows figures.

    Args:
        run: folder of the run.
        show: called with step, steps and figures, after they are written.
        begun: the step that the run goes on from, 0 for one that begins (again) with its adaptation.
    """

    def __init__(self, run: Path, show: OnLog, begun: int) -> None:
        self._file, self._show = run / FILE, show
        old = self._file.read_text(encoding="utf-8").splitlines() if self._file.is_file() else []
        kept = [line for line in old if begun and _step(line) <= begun]
        self._file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def adaptation(self, step: int, steps: int, figures: dict[str, float]) -> None:
        """Log a step of the adaptation."""
        self._write({"adaptation_step": step} | figures)
        self._show(step, steps, figures)

    def training(self, step: int, steps: int, figures: dict[str, float]) -> None:
        """Log a step of the training, or figures of the dev splits after it."""
        self._write({"step": step} | figures)
        self._show(step, steps, figures)

    def _write(self, line: Mapping[str, float]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _step(line: str) -> float:
    """Of the training; the adaptation comes before it, a line that was cut off after everything."""
    try:
        found = json.loads(line)
        return 0 if "adaptation_step" in found else int(found["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
