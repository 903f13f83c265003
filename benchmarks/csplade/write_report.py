"""runs/ and curves.json → csplade.md and curves.svg: claims, runs that failed, index bytes, loss curves.

    python benchmarks/csplade/write_report.py benchmarks/results/csplade

run.py does it at its end.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "ablations"))
import claims  # noqa: E402  # of the ablations
import plan  # noqa: E402
import report as ablations  # noqa: E402
import run  # noqa: E402

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402  # after the backend is chosen

ENDS = 5  # points of a curve that are its beginning, and its end
DENSE = {"384 (MiniLM-L6)": 384, "768 (BERT base)": 768, "2,048 (Llama-3.2-1B)": 2048}
NOTE = (
    "Collapsed: at the end of the training documents have less than one active token on average. Diverged: a loss that "
    f"is no number, or whose last {ENDS} points of the log are higher on average than its first {ENDS}."
)
BYTES_NOTE = (
    "Sparse: posting lists by arithmetic, gap-coded document numbers and two bytes a weight. Dense: float32 and HNSW "
    "with M = 16, 1.1 · (4 · dimensions + 8 · M) bytes a document, OpenSearch's own estimate."
)


def write(folder: Path) -> None:
    """Report on the results in a folder, in the same folder."""
    asked = plan.read(HERE / "plan.toml")
    results = ablations.read(asked, run.Work(folder, folder, folder / "figures"))
    if not results:
        sys.exit(f"error: {folder}/figures: holds no finished run; start run.py")
    curves = json.loads((folder / "curves.json").read_text(encoding="utf-8"))
    decoders, runs = curves["decoders"], curves["runs"]
    (folder / "curves.svg").write_text(draw(runs, decoders), encoding="utf-8")
    summary = ablations.about(asked, results)
    tables = [decoder_table(decoders), outcome_table(runs)]
    if (folder / "index_bytes.json").is_file():
        tables.append(disk_table(json.loads((folder / "index_bytes.json").read_text(encoding="utf-8"))))
    for test in asked.tests:
        tables += ablations.claim_tables(claims.judge(asked, results, test), test)
        tables += [ablations.variant_table(results, test), bytes_table(results, test)]
    lines = [
        "# Causal language models as document encoders",
        "",
        f"{summary}. {ablations.NOTE} {NOTE} {BYTES_NOTE}",
    ]
    lines += ["", "![Loss over steps](curves.svg)"]
    for table in tables:
        lines += ["", f"## {table.title}", "", f"| {' | '.join(table.header)} |", "|" + "---|" * len(table.header)]
        lines += [f"| {' | '.join(row)} |" for row in table.rows]
    (folder / "csplade.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{folder}/csplade.md, curves.svg: {summary}")


def decoder_table(decoders: Mapping[str, Any]) -> ablations.Table:
    rows = [
        (
            name,
            f"{one['layers']} × {one['width']}",
            f"{one['parameters'] / 1e6:.1f} M",
            f"{one['loss'][-1][0]:,}",
            f"{one['loss'][-1][1]:.2f}",
        )
        for name, one in decoders.items()
    ]
    return ablations.Table("Decoders", ("", "layers × width", "parameters", "steps", "last loss"), rows)


def outcome(curve: Mapping[str, Any]) -> str:
    """``ok``, ``collapsed`` or ``diverged``, see NOTE."""
    points = curve["training"]
    losses = [loss for _, loss, _ in points]
    if any(loss is None for loss in losses):
        return "diverged"
    if statistics.mean(losses[-ENDS:]) > statistics.mean(losses[:ENDS]):
        return "diverged"
    dims = [dims or 0.0 for _, _, dims in points[-ENDS:]]
    return "collapsed" if statistics.mean(dims) < 1 else "ok"


def outcome_table(runs: Mapping[str, Mapping[str, Any]]) -> ablations.Table:
    """Runs that failed, and how the others began and ended."""
    rows = []
    for name, seeds in runs.items():
        outcomes = [outcome(curve) for curve in seeds.values()]
        curves = [curve["training"] for curve in seeds.values()]

        def mean(place: int, column: int, curves: Sequence[Any] = curves) -> str:
            values = [curve[place][column] for curve in curves if curve[place][column] is not None]
            return f"{statistics.mean(values):.2f}" if values else "–"

        rows.append(
            (
                name,
                str(len(seeds)),
                str(outcomes.count("collapsed")),
                str(outcomes.count("diverged")),
                f"{mean(0, 1)} → {mean(-1, 1)}",
                f"{mean(0, 2)} → {mean(-1, 2)}",
            )
        )
    header = ("variant", "seeds", "collapsed", "diverged", "InfoNCE, first → last", "active dims, first → last")
    return ablations.Table("How the training went", header, rows)


def bytes_table(results: claims.Results, test: str) -> ablations.Table:
    """An index of the same documents, sparse and dense."""
    documents = next(iter(next(iter(results.values())).values()))["tests"][test]["documents"]
    rows = []
    for name, seeds in results.items():
        sizes = [run["tests"][test]["index_bytes"] for run in seeds.values()]
        rows.append(
            (name, ablations.figure([size / documents for size in sizes], 0), f"{statistics.mean(sizes) / 1e6:.2f}")
        )
    for name, width in DENSE.items():
        each = 1.1 * (4 * width + 8 * 16)
        rows.append((f"dense, {name}", f"{each:.0f}", f"{each * documents / 1e6:.2f}"))
    return ablations.Table(f"Index bytes, {test}", ("", "bytes a document", "MB"), rows)


def disk_table(found: Mapping[str, Any]) -> ablations.Table:
    """What index_bytes.py weighed."""
    documents = found["documents"]
    rows = [(name, f"{size / documents:.0f}", f"{size / 1e6:.2f}") for name, size in found["bytes"].items()]
    title = (
        f"Index bytes on disk, {found['test']}: OpenSearch {found['opensearch']}, {documents:,} documents, one segment"
    )
    return ablations.Table(title, ("field", "bytes a document", "MB"), rows)


def draw(runs: Mapping[str, Mapping[str, Any]], decoders: Mapping[str, Any]) -> str:
    """Loss over steps as SVG: the decoders, the adaptation, then for each attention with and without it."""
    matplotlib.rcParams.update({"svg.hashsalt": "csplade", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, panels = pyplot.subplots(1, 5, figsize=(20, 4), layout="constrained")
    for name, one in decoders.items():
        panels[0].plot(*zip(*one["loss"], strict=True), label=name)
    panels[0].set(title="decoders: next token", xlabel="step", ylabel="loss")
    for number, (name, seeds) in enumerate(sorted(runs.items())):
        mode, cold = name.partition("-")[0], name.endswith("-cold")
        panel = panels[2 + ("causal", "echo", "bidirectional").index(mode)]
        for place, curve in enumerate(seeds.values()):
            label = name if place == 0 else None
            for points, where in ((curve["adaptation"], panels[1]), (curve["training"], panel)):
                if points:
                    steps, losses = [point[0] for point in points], [point[1] for point in points]
                    where.plot(steps, losses, color=f"C{number}", ls=":" if cold else "-", lw=1, label=label)
        panel.set(title=f"{mode}: InfoNCE", xlabel="step")
    panels[1].set(title="adaptation", xlabel="step")
    for panel in panels:
        panel.grid(alpha=0.3)
        if panel.lines:
            panel.legend(fontsize="x-small")
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return text.getvalue()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
