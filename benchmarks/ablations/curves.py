"""nDCG@10 over FLOPS for each sweep of λ, one panel a test set: an SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from claims import Results
from plan import Plan

matplotlib.use("svg")
from matplotlib import pyplot  # after the backend is chosen

MARKERS = "os^Dv"


def draw(plan: Plan, results: Results) -> str:
    """The figure as SVG text, the same for the same results; a point is a λ, its bars ± one deviation over seeds."""
    matplotlib.rcParams.update({"svg.hashsalt": "ablations", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, panels = pyplot.subplots(
        1, len(plan.tests), figsize=(5.5 * len(plan.tests), 4.2), squeeze=False, layout="constrained"
    )
    sweeps = list(dict.fromkeys(one.sweep for one in plan.variants.values() if one.sweep))
    for panel, test in zip(panels[0], plan.tests, strict=True):
        for sweep, marker in zip(sweeps, MARKERS, strict=False):
            names = [name for name, one in plan.variants.items() if one.sweep == sweep and name in results]
            points = sorted(point(results[name], test) for name in names)
            if points:
                flops, ndcg, deviation = zip(*points, strict=True)
                panel.errorbar(flops, ndcg, yerr=deviation, marker=marker, capsize=2, label=sweep)
        panel.set(title=test, xlabel="FLOPS (expected tokens in common)", ylabel="nDCG@10", xscale="log")
        panel.grid(alpha=0.3)
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(sweeps))
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return text.getvalue()


def point(runs: Mapping[int, Mapping[str, Any]], test: str) -> tuple[float, float, float]:
    """FLOPS, nDCG@10 and its deviation over seeds (0 for one)."""
    found = [one["tests"][test] for one in runs.values()]
    ndcg = [one["measures"]["nDCG@10"] for one in found]
    deviation = float(np.std(ndcg, ddof=1)) if len(ndcg) > 1 else 0.0
    return float(np.mean([one["flops"] for one in found])), float(np.mean(ndcg)), deviation
