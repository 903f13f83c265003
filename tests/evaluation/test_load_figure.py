"""Load by clients and by rate: what the figure shows, and what it says of rates that were too high."""

from __future__ import annotations

from typing import Any

import pytest
from example_results import example

pytest.importorskip("matplotlib")

from opensearch_lsr.evaluation.report.figures import load

ENDS = "Where a line ends, queries came faster than they were answered."


def behind(results: dict[str, Any], least: float) -> dict[str, Any]:
    """The same, every system behind at that rate and above."""
    for timing in results["latency"]:
        if timing["mode"] == "open" and timing["rate"] >= least:
            for system in timing["systems"]:
                system |= {"sustained": False, "total_ms": None, "ratio": None}
    return results


def test_a_line_ends_where_a_rate_was_not_sustained() -> None:
    rates = sorted({timing["rate"] for timing in example()["latency"] if timing["mode"] == "open"})
    assert len(rates) > 2
    everything = load.caption(example())
    assert "p95 when queries arrive at a fixed rate" in everything
    assert ENDS not in everything
    assert load.caption(behind(example(), rates[-1])) == f"{everything} {ENDS}"
    assert "fixed rate" not in load.caption(behind(example(), rates[1])), "one rate is no line"


def test_a_rate_that_is_not_drawn_ends_no_line() -> None:
    results = example()
    (rate, *_) = [timing["rate"] for timing in results["latency"] if timing["mode"] == "open"]
    other = next(timing for timing in results["latency"] if timing["rate"] == rate)
    systems = [{**system, "sustained": False} for system in other["systems"]]
    results["latency"].append({**other, "collection": "another", "systems": systems})
    assert load.caption(results) == load.caption(example())


def test_a_loop_with_one_point_is_not_shown() -> None:
    results = example()
    results["latency"] = [timing for timing in results["latency"] if timing["clients"] in (1, None)]
    assert "as soon as the last is answered" in load.caption(example())
    assert "as soon as the last is answered" not in load.caption(results)
    results["latency"] = results["latency"][:1]
    assert load.caption(results) == ""
