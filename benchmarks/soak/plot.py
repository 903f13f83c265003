"""The plot of a soak: latencies over time above what the client held, the migration shaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from opensearch_lsr.evaluation.report.figures.canvas import COLOURS


def draw(figures: dict[str, Any], file: Path) -> None:
    """Write a PNG; ``figures`` is what run.py keeps."""
    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, (above, middle, below) = pyplot.subplots(3, 1, figsize=(8.6, 6.4), sharex=True)
    minutes = [window["at"] / 60 for window in figures["windows"]]
    for key, colour in (("search", "s1"), ("write", "s2")):
        for name, style in (("p50", "-"), ("p99", ":")):
            line = [window[f"{key}_{name}_ms"] for window in figures["windows"]]
            above.plot(minutes, line, style, color=COLOURS[colour], label=f"{key} {name}")
    above.set_yscale("log")
    above.set_ylabel("ms, from when due")
    above.set_ylim(top=above.get_ylim()[1] * 5)
    above.legend(ncols=4, frameon=False, loc="upper left")
    held = figures["held"]
    middle.plot([at / 60 for at in held["at"]], held["mib"], color=COLOURS["s3"])
    middle.set_ylabel("client's memory, MiB")
    middle.set_ylim(0, max(held["mib"]) * 1.2)
    below.plot([at / 60 for at in held["at"]], held["descriptors"], color=COLOURS["s4"], label="descriptors")
    below.plot([at / 60 for at in held["at"]], held["threads"], color=COLOURS["base"], label="threads")
    below.set_ylim(0, max(held["descriptors"]) * 1.4)
    below.set_ylabel("client holds")
    below.legend(ncols=2, frameon=False, loc="upper left")
    below.set_xlabel("minutes")
    for axes in (above, middle, below):
        axes.axvspan(*(at / 60 for at in figures["migration"]["at"]), color=COLOURS["rule"], zorder=0, linewidth=0)
    figure.align_ylabels()
    figure.tight_layout()
    figure.savefig(file, dpi=144, metadata={"Software": None})
