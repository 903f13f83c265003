"""A results.json as a full suite would leave it: made-up figures of plausible size, the same every time."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

SYSTEMS = {
    "bm25": "BM25 (english)",
    "bm25-standard": "BM25 (standard)",
    "tokens": "LSR (tokens)",
    "analyzer": "LSR (analyzer)",
    "balanced": "LSR (balanced)",
    "two-phase": "LSR (two-phase)",
    "seismic": "SEISMIC",
    "hybrid": "Hybrid (BM25 + LSR)",
    "dense": "Dense k-NN",
    "bi-encoder": "LSR (bi-encoder)",
}
QUALITY = {"bm25-standard": -0.02, "tokens": 0.03, "analyzer": 0.03, "balanced": 0.025}
QUALITY |= {"two-phase": 0.029, "seismic": 0.027, "hybrid": 0.047, "dense": 0.04}
TIME = {"bm25": 2.1, "bm25-standard": 2.2, "tokens": 2.9, "analyzer": 3.0, "balanced": 2.5}
TIME |= {"two-phase": 2.6, "seismic": 2.4, "hybrid": 4.6, "dense": 7.9}
BYTES = {"bm25": 1.0, "bm25-standard": 0.96, "seismic": 3.9, "hybrid": 2.7, "dense": 4.8}
COLLECTIONS = {
    "scifact": (5183, 300, 0.672, 0.6),
    "nfcorpus": (3633, 323, 0.322, 1.0),
    "cranfield": (1400, 225, 0.401, -0.6),
    "medquad": (16407, 800, 0.548, 2.4),
    "stackfaq": (1249, 125, 0.713, 0.1),
}
TEXT = (
    "A squealing noise when you slow down is usually a sign that the brake pads are worn to the metal wear indicator. "
    "Lift the car, take off the wheel and look at the thickness of the lining: below three millimetres the pads need "
    "replacing. Glazed discs, dust or a missing shim also make brakes squeak, above all in damp weather. Never put oil "
    "on a brake disc; a little copper paste on the back of the pad is enough."
)


def example() -> dict[str, Any]:
    """A finished run."""
    draw = random.Random(7)
    return {
        "schema": 1,
        "run": run(),
        "collections": [collection(draw, name) for name in COLLECTIONS],
        "latency": [
            *(
                timing(draw, name, clients=1, counted=counted)
                for name in COLLECTIONS
                for counted in ("default", "false")
            ),
            *(timing(draw, "medquad", clients=clients) for clients in (2, 4, 8)),
            *(timing(draw, "medquad", rate=rate) for rate in (50.0, 100.0, 200.0, 400.0)),
            timing(draw, "medquad", clients=4) | {"collection": "medquad-100000", "documents": 100_000},
            timing(draw, "medquad") | {"collection": "medquad-1000000", "documents": 1_000_000},
        ],
        "scale": [scale(draw, size) for size in (10_000, 100_000, 1_000_000)],
        "slopes": {
            name: {
                "ms_per_million": 9.4 * factor,
                "low": 9.0 * factor,
                "high": 9.9 * factor,
                "ratio_to_baseline": factor,
                "ratio_low": 0.95 * factor,
                "ratio_high": 1.05 * factor,
            }
            for name, factor in {"bm25": 1.0, "tokens": 1.92, "balanced": 1.3, "seismic": 0.31}.items()
        },
    }


def run() -> dict[str, Any]:
    """How it was measured."""
    return {
        "name": "default-encoder",
        "started": "2026-11-23T09:12:44+00:00",
        "finished": "2026-11-23T11:40:02+00:00",
        "command": "opensearch-lsr benchmark run benchmarks/suites/full.toml -o results/full",
        "seed": 1,
        "commit": "dff9e34c1d0a5a2f7d4f2a8a4f6f9d20f1f2b3c4",
        "versions": {"opensearch-lsr": "0.1.0", "onnxruntime": "1.31.1", "ir-measures": "0.4.3", "python": "3.11.7"},
        "cluster": {
            "version": "3.6.0",
            "nodes": 1,
            "heap_bytes": 4 * 2**30,
            "plugins": ["opensearch-job-scheduler", "opensearch-knn", "opensearch-ml", "opensearch-neural-search"],
        },
        "machine": {"cpu": "AMD EPYC 9B14", "cores": 2, "memory_bytes": 24 * 2**30},
        "settings": {"latency": {"queries": 100, "rounds": 5, "size": 10}, "drop_self": False, "split": "test"},
        "fingerprints": {"document": "ca1dae7b" * 8, "query": "5be01f32" * 8},
        "error": None,
    }


def collection(draw: random.Random, name: str) -> dict[str, Any]:
    """Relevance, index and queries of a collection."""
    documents, queries, base, gain = COLLECTIONS[name]
    systems = []
    for system, title in SYSTEMS.items():
        if system == "bi-encoder":
            systems.append({"name": system, "title": title, "skipped": "no bi-encoder bundle was given (--bi-encoder)"})
            continue
        if system == "seismic" and name == "stackfaq":
            systems.append({"name": system, "title": title, "skipped": "needs OpenSearch 3.3, this is 2.19.1"})
            continue
        difference = QUALITY.get(system, 0.0) * gain + (draw.uniform(-0.004, 0.004) if system != "bm25" else 0.0)
        width = 1.1 * math.sqrt(0.06 / queries)
        wins = int(queries * (0.25 + difference))
        losses = int(queries * (0.22 - difference))
        value = base + difference
        whole = int(documents * 900 * BYTES.get(system, 2.0))
        systems.append(
            {
                "name": system,
                "title": title,
                "skipped": None,
                "parameters": {"analyzer": "english", "k1": 1.2, "b": 0.75} if system == "bm25" else {},
                "relevance": {
                    "nDCG@10": value,
                    "RR@10": value - 0.03,
                    "R@100": min(0.99, value + 0.2),
                    "AP@100": value - 0.05,
                },
                "unanswered": 1 if system == "bm25" else 0,
                "ties": draw.randrange(6),
                "against_baseline": None
                if system == "bm25"
                else {
                    "nDCG@10": {
                        "difference": difference,
                        "low": difference - width,
                        "high": difference + width,
                        "p": min(1.0, math.exp(-abs(difference / width) * 3)),
                        "wins": wins,
                        "ties": queries - wins - losses,
                        "losses": losses,
                    }
                },
                "index_bytes": whole,
                "vector_bytes": None if system.startswith("bm25") else whole - documents * 900,
                "ingest_documents_per_s": 2400.0 / BYTES.get(system, 2.0),
            }
        )
    return {
        "name": name,
        "split": "test",
        "documents": documents,
        "queries": queries,
        "judgments": queries * 3,
        "baseline": "bm25",
        "vectors": {
            "active_dims": draw.uniform(120, 240),
            "query_active_dims": draw.uniform(6, 14),
            "flops": draw.uniform(0.9, 2.1),
            "longest_posting": int(documents * 0.61),
            "longest_posting_token": "effect",
            "encode_documents_per_s": draw.uniform(40, 60),
        },
        "systems": systems,
        "ingest": [
            {"mode": "none", "documents_per_s": 2410.0, "documents": documents},
            {"mode": "client", "documents_per_s": 47.2, "documents": documents},
            {"mode": "cluster", "documents_per_s": 21.9, "documents": 500},
        ],
        "examples": {"gained": [query("q17", 1.0), query("q3", 0.63)], "lost": [query("q8", -0.61)]},
    }


def query(name: str, difference: float) -> dict[str, Any]:
    """A query that gained or lost, with why its first document matched."""
    tokens = {
        "brake": (7.64, 2.1),
        "squeak": (9.16, 1.71),
        "noise": (6.8, 0.9),
        "pad": (5.2, 0.8),
        "repair": (5.9, 0.42),
    }
    tokens |= {"squeal": (9.2, 0.39), "##ing": (2.1, 0.35), "motorcycle": (7.1, 0.06)}
    worse = {"id": "d9", "title": "Dripping taps", "text": "Why taps drip, and what do washers do?", "relevant": 0}
    better = {"id": "d127", "title": "When brakes are noisy", "text": TEXT, "relevant": 2}
    return {
        "id": name,
        "text": "why do my brakes squeak when slowing down",
        "system": "tokens",
        "difference": difference,
        "value": max(0.0, difference),
        "baseline_value": max(0.0, -difference),
        "document": better if difference > 0 else worse,
        "baseline_document": worse if difference > 0 else better,
        "tokens": [
            {"token": token, "query_weight": weight, "document_weight": other, "score": weight * other}
            for token, (weight, other) in tokens.items()
        ],
    }


def timing(
    draw: random.Random, name: str, clients: int = 1, rate: float | None = None, counted: str = "default"
) -> dict[str, Any]:
    """A latency measurement of all systems but those skipped."""
    documents = COLLECTIONS[name][0]
    queue = 1.0 / max(0.05, 1 - rate / 500) if rate else clients**0.8
    base = quantiles(2.1 * queue)
    return {
        "collection": name,
        "documents": documents,
        "mode": "open" if rate else "closed",
        "clients": clients,
        "rate": rate,
        "track_total_hits": counted,
        "merged": True,
        "segments": 1,
        "size": 10,
        "warmup": 100,
        "rounds": 5,
        "systems": [timed(draw, system, time * queue, base, clients) for system, time in TIME.items()],
    }


def quantiles(middle: float) -> dict[str, float]:
    """Of a log-normal distribution around ``middle`` ms."""
    ends = {"p50": 1.0, "p90": 1.62, "p95": 1.9, "p99": 2.7, "mean": 1.12}
    return {name: middle * factor for name, factor in ends.items()}


def timed(draw: random.Random, system: str, middle: float, base: dict[str, float], clients: int) -> dict[str, Any]:
    """One system's part of a latency measurement."""
    total = quantiles(middle)
    values = [draw.lognormvariate(math.log(middle), 0.38) for _ in range(500)]
    edges = [middle * 10 ** (-0.6 + 0.03 * i) for i in range(41)]
    counts = [sum(a <= value < b for value in values) for a, b in pairwise(edges)]
    return {
        "name": system,
        "queries": 500,
        "errors": 0,
        "encode_ms": quantiles(0.01 if system.startswith("bm25") else 0.12),
        "request_ms": quantiles(middle - 0.1),
        "total_ms": total,
        "took_ms": quantiles(middle * 0.6),
        "per_s": 1000 * clients / total["mean"],
        "ratio": {
            key: {
                "value": total[key] / base[key],
                "low": total[key] / base[key] * 0.95,
                "high": total[key] / base[key] * 1.06,
            }
            for key in ("p50", "p95", "p99", "mean")
        },
        "histogram": {"edges_ms": edges, "counts": counts},
    }


def scale(draw: random.Random, size: int) -> dict[str, Any]:
    """A grown corpus."""
    slopes = {"bm25": 9.4, "tokens": 18.0, "balanced": 12.2, "two-phase": 11.0, "seismic": 2.9}
    systems = []
    for name, slope in slopes.items():
        middle = TIME[name] + slope * size / 1e6
        systems.append(
            {
                "name": name,
                "nDCG@10": 0.548 + QUALITY.get(name, 0.0) * 2 - 0.02 * math.log10(size / 1e4),
                "overlap@10": {"bm25": None, "tokens": 1.0, "seismic": 0.941}.get(name, 0.987),
                "index_bytes": int(size * 1500 * BYTES.get(name, 2.0)),
                "ingest_documents_per_s": 2100.0 / BYTES.get(name, 2.0),
                "total_ms": quantiles(middle),
                "ratio": timed(draw, name, middle, quantiles(TIME["bm25"] + 9.4 * size / 1e6), 1)["ratio"],
                "ann": {"proven": True, "how": "explain names SeismicScorer"} if name == "seismic" else None,
                "clipped_weights": 0 if name == "seismic" else None,
            }
        )
    lengths = [38.0, 96.0, 171.0, 301.0, 540.0]
    return {
        "collection": "medquad",
        "size": size,
        "documents": size,
        "distribution": {
            "quantiles": [0.05, 0.25, 0.5, 0.75, 0.95],
            "length": {"real": lengths, "grown": [length * 1.07 for length in lengths]},
            "document_frequency": {
                "real": [1e-4, 3e-4, 0.001, 0.004, 0.05],
                "grown": [1e-4, 4e-4, 0.0012, 0.005, 0.06],
            },
        },
        "systems": systems,
    }
