"""Every latency measurement that a suite asks for, on systems that are ready."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

from opensearch_lsr.evaluation import latency, load, percentiles, results, samples
from opensearch_lsr.evaluation.context import slug
from opensearch_lsr.evaluation.ready import Ready
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.samples import Samples
from opensearch_lsr.evaluation.suite import Latency

SAMPLES = "samples"  # folder of the times, every query and round


def measure(asked: Run, ready: Ready, collection: str, queries: Mapping[str, str], baseline: str) -> None:
    """Measure what is not in the results yet: one entry for each way and each setting of ``track_total_hits``.

    Raises:
        ClusterError: when the cluster stops answering.
    """
    plan = asked.suite.latency
    if plan is None or not ready.systems:
        return
    texts = drawn(queries, plan.queries, asked.suite.seed)
    for mode, clients, rate in ways(plan):
        for setting in plan.track_total_hits:
            key = {
                "collection": collection,
                "mode": mode,
                "clients": clients,
                "rate": rate,
                "track_total_hits": setting != "false",
            }
            entry = results.entry([*asked.results["latency"]], **key)  # a copy: it joins the results when it is whole
            if "systems" in entry:
                continue
            what = f"{collection}: " + (f"{rate:g} queries/s" if rate else f"{clients} client" + "s" * (clients != 1))
            asked.on_step(f"{what}, total hits {setting}")
            systems = _systems(asked, ready, texts, key, what, baseline)
            asked.results["latency"].append(
                entry
                | {
                    "baseline": baseline,
                    "documents": max(built["documents"] for built in ready.built.values()),
                    "merged": plan.merge,
                    "segments": max(built["segments"] for built in ready.built.values()),
                    "size": plan.size,
                    "warmup": latency.WARMUP,
                    "rounds": plan.rounds,
                    "systems": systems,
                }
            )
            asked.save()


def ways(plan: Latency) -> list[tuple[str, int | None, float | None]]:
    """Mode, clients, rate of each measurement."""
    closed: list[tuple[str, int | None, float | None]] = [("closed", clients, None) for clients in plan.clients]
    return [*closed, *(("open", None, rate) for rate in plan.rates)]


def drawn(queries: Mapping[str, str], count: int, seed: int) -> list[str]:
    """So many query texts, the same for the same seed."""
    return random.Random(seed).sample(list(queries.values()), min(count, len(queries)))


def plainest(plan: Latency, collection: str) -> dict[str, Any]:
    """What marks the measurement that sizes are compared by: closed loop, one client, the first way to count hits."""
    counted = plan.track_total_hits[0] != "false"
    return {"collection": collection, "mode": "closed", "clients": 1, "rate": None, "track_total_hits": counted}


def kept_samples(asked: Run, key: Mapping[str, Any]) -> dict[str, Samples]:
    """The times of one measurement; empty where there are none."""
    file = asked.folder / SAMPLES / _file(key)
    return samples.load(file) if file.is_file() else {}


def _systems(
    asked: Run, ready: Ready, texts: list[str], key: Mapping[str, Any], what: str, baseline: str
) -> list[dict[str, Any]]:
    """Measure, keep the times, and tell each system's figures."""
    plan = asked.suite.latency or Latency()
    options: dict[str, Any] = {
        "rounds": plan.rounds,
        "seed": asked.suite.seed,
        "size": plan.size,
        "track_total_hits": key["track_total_hits"],
        "on_progress": partial(asked.on_progress, what),
    }
    at_once: dict[str, Samples] = {}
    if key["rate"]:
        found = load.open_loop(asked.client, ready.systems, texts, rate=key["rate"], **options)
    else:
        at_once = load.closed_loop(asked.client, ready.systems, texts, clients=key["clients"], **options)
        # latency of one client is taken in turns by the query; its queries/s by the loop that takes those of several
        found = at_once if key["clients"] > 1 else latency.interleaved(asked.client, ready.systems, texts, **options)
    kept = asked.folder / SAMPLES / _file(key)
    kept.parent.mkdir(exist_ok=True)
    samples.save(kept, found)
    rows = percentiles.summary(found, baseline, asked.suite.seed, key["rate"])
    return [row | {"per_s": at_once.get(row["name"], found[row["name"]]).per_s} for row in rows]


def _file(key: Mapping[str, Any]) -> str:
    way = f"{key['rate']:g}-per-s" if key["rate"] else f"{key['clients']}-clients"
    return f"{slug(key['collection'])}.{way}.{'total' if key['track_total_hits'] else 'no-total'}.npz"
