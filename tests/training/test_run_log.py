"""The log of a run: one line an event, and after an interruption the lines of a run without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opensearch_lsr.training.run_log import FILE, RunLog


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / FILE).read_text().splitlines()]


def opened(run: Path, begun: int = 0) -> RunLog:
    return RunLog(run, lambda *event: None, begun)


def begin(run: Path) -> None:
    log = opened(run)
    log.adaptation(20, 400, {"adaptation_loss": 5.0})
    for step in (10, 20, 30):
        log.training(step, 40, {"loss": 1.0 / step})


def test_written_and_shown(tmp_path: Path) -> None:
    shown: list[object] = []
    log = RunLog(tmp_path, lambda *event: shown.append(event), 0)
    log.adaptation(20, 400, {"adaptation_loss": 5.0})
    log.training(10, 40, {"loss": 0.5})
    assert lines(tmp_path) == [{"adaptation_step": 20, "adaptation_loss": 5.0}, {"step": 10, "loss": 0.5}]
    assert shown == [(20, 400, {"adaptation_loss": 5.0}), (10, 40, {"loss": 0.5})]


@pytest.mark.parametrize(("begun", "kept"), [(0, []), (5, [None]), (20, [None, 10, 20]), (40, [None, 10, 20, 30])])
def test_what_comes_again_is_dropped(tmp_path: Path, begun: int, kept: list[int | None]) -> None:
    """The adaptation is in every checkpoint; a run without one begins again with it."""
    begin(tmp_path)
    opened(tmp_path, begun)
    assert [line.get("step") for line in lines(tmp_path)] == kept


@pytest.mark.parametrize("cut", ['{"step": 2', '{"loss": 1.0}', "[]", "7"])
def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path, cut: str) -> None:
    begin(tmp_path)
    with (tmp_path / FILE).open("a") as file:
        file.write(cut)
    opened(tmp_path, 40).training(40, 40, {"loss": 0.1})
    assert [line.get("step") for line in lines(tmp_path)] == [None, 10, 20, 30, 40]
