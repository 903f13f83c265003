"""What was seen in a soak → its figures, the table, and what of it is a failure."""

from __future__ import annotations

import statistics
from array import array
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from traffic import Seen
from watch import Held

from opensearch_lsr.evaluation.surroundings import machine, versions

WINDOWS = 90  # points of the plot
GROWTH = 1.05  # of memory: less may be noise


def made(
    seen: Seen, held: Held, seconds: float, rates: dict[str, float], migration: dict[str, Any], kept: dict[str, int]
) -> dict[str, Any]:
    """The figures: times in seconds since the start, latencies in milliseconds, memory in MiB.

    ``growth`` looks at the time before and after the migration: the median of the second fifth, and of the last. In
    between, memory may take a step: there is a second query side, and the first one's place is not given back.
    """
    growth = {
        "before": _growth(held, 0.0, migration["at"][0]),
        "after": _growth(held, migration["at"][1], seconds),
    }
    requests = {
        "search": _percentiles(seen.search_ms) | {"done": len(seen.search_ms), "empty": seen.empty},
        "write": _percentiles(seen.write_ms) | {"done": len(seen.write_ms), "refused": seen.refused},
    }
    return {
        "seconds": seconds,
        "rates": rates,
        "requests": requests,
        "errors": seen.errors,
        "migration": migration,
        "kept": kept,
        "growth": growth,
        "held": {name: [round(value, 2) for value in values] for name, values in vars(held).items()},
        "windows": _windows(seen, seconds),
        "machine": machine(),
        "versions": versions(),
    }


def failures(figures: dict[str, Any]) -> list[str]:
    """What must not be, a line each."""
    kept, growth = figures["kept"], figures["growth"]
    found = list(figures["errors"])
    if figures["requests"]["search"]["empty"]:
        found.append(f"{figures['requests']['search']['empty']} searches found nothing")
    found += [f"{count} documents: {what}" for what, count in kept.items() if what != "documents" and count]
    for when, grew in growth.items():
        if grew["mib"][1] > grew["mib"][0] * GROWTH:
            found.append("memory grew from {:.1f} to {:.1f} MiB {} the migration".format(*grew["mib"], when))
        if grew["descriptors"][1] > grew["descriptors"][0]:
            found.append("descriptors grew from {:.0f} to {:.0f} {} it".format(*grew["descriptors"], when))
    return found


def table(figures: dict[str, Any]) -> None:
    """Print it."""
    requests, kept, growth = figures["requests"], figures["kept"], figures["growth"]
    shown = Table(title=f"{figures['seconds'] / 60:.1f} minutes", title_justify="left", show_header=False)
    for name, found in requests.items():
        late = f"p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f} ms, longest {found['longest']:.0f} ms"
        rest = f"{found['empty']} found nothing" if name == "search" else f"{found['refused']} refused and sent again"
        shown.add_row(f"{name} requests", f"{found['done']:,}: {late}; {rest}")
    shown.add_row("errors", str(len(figures["errors"])))
    migration = figures["migration"]
    took = migration["at"][1] - migration["at"][0]
    shown.add_row(
        "migration",
        f"{migration['copied']:,} encoded in {took:.0f} s; writes refused {migration['block_seconds']:.2f} s",
    )
    wrong = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in kept.items() if what != "documents")
    shown.add_row("documents in the end", f"{kept['documents']:,}: {wrong}")
    for when, grew in growth.items():
        memory = "{:.1f} → {:.1f} MiB".format(*grew["mib"])
        shown.add_row(f"client {when} it", memory + ", {:.0f} → {:.0f} descriptors".format(*grew["descriptors"]))
    Console().print(shown)


def _growth(held: Held, begin: float, end: float) -> dict[str, list[float]]:
    places = [number for number, at in enumerate(held.at) if begin <= at <= end]
    fifth = max(1, len(places) // 5)
    parts = places[fifth : 2 * fifth] or places, places[-fifth:]
    every = (("mib", held.mib), ("descriptors", held.descriptors), ("threads", held.threads))
    return {name: [statistics.median(values[place] for place in part) for part in parts] for name, values in every}


def _percentiles(times: array[float]) -> dict[str, float]:
    return {"p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99)), "longest": max(times)}


def _windows(seen: Seen, seconds: float) -> list[dict[str, float | None]]:
    """p50 and p99 over time, by when requests were due."""
    edges = np.linspace(0, seconds, WINDOWS + 1)
    rows: list[dict[str, float | None]] = [{"at": round(float(at), 1)} for at in (edges[1:] + edges[:-1]) / 2]
    for name, at, times in (("search", seen.search_at, seen.search_ms), ("write", seen.write_at, seen.write_ms)):
        places = np.digitize(at, edges) - 1
        for number, row in enumerate(rows):
            here = np.asarray(times)[places == number]
            for key, percent in (("p50", 50), ("p99", 99)):
                row[f"{name}_{key}_ms"] = round(float(np.percentile(here, percent)), 2) if here.size else None
    return rows
