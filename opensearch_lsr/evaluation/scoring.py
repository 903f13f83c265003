"""Relevance of a run's systems on one collection: runs, figures, comparisons with the baseline, examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from opensearch_lsr.evaluation import analysis, costs, measures, relevance, results, significance, trec, vectors
from opensearch_lsr.evaluation.collection import Collection
from opensearch_lsr.evaluation.context import slug
from opensearch_lsr.evaluation.encoded import Encoded
from opensearch_lsr.evaluation.ready import Ready
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.systems import SYSTEMS
from opensearch_lsr.evaluation.systems.seismic import Seismic
from opensearch_lsr.evaluation.systems.system import System
from opensearch_lsr.query_encoder import QueryEncoder

EXACT = "tokens"  # what approximate and pruned search is compared with
TEXT_ONLY = "text-english"  # what an index weighs without vectors


def measure(asked: Run, entry: dict[str, Any], found: Collection, encoded: Encoded, ready: Ready) -> None:
    """Fill a collection's entry of the results; systems that have their figures are left alone.

    Raises:
        ClusterError: when the cluster stops answering, or not every query could be asked: the system at hand is then
            left unmeasured, for the next time.
    """
    systems = entry.setdefault("systems", [])
    for name in [*ready.systems, *ready.skipped]:
        row = results.entry(systems, name=name)
        row |= {"title": SYSTEMS[name].title, "skipped": ready.skipped.get(name)}
        if name in ready.systems and "relevance" not in row:
            asked.on_step(f"{found.name}: {len(found.queries):,} queries to {name}")
            row |= _one(asked, found, ready, name)
            asked.save()
    order = list(SYSTEMS)
    systems.sort(key=lambda row: order.index(row["name"]))
    _compare(asked, entry, found)
    for row in systems:
        if isinstance(ready.systems.get(row["name"]), Seismic) and EXACT in ready.systems:
            approximate, exact = (trec.read(run_file(asked, found.name, name)) for name in (row["name"], EXACT))
            row["overlap@10"] = relevance.overlap(approximate, exact)
    if encoded.given and "vectors" not in entry:
        encoder = QueryEncoder.from_pretrained(str(encoded.given.path))
        entry["vectors"] = {
            **vectors.figures(iter(encoded.sparse), (encoder.encode(text) for text in found.queries.values())),
            "encode_documents_per_s": encoded.sparse.encode_documents_per_s,
            "truncated": encoded.sparse.truncated,
        }
        sparse = [name for name, system in ready.systems.items() if system.storage.encoder == "bundle"]
        if shown := next((name for name in sparse if name != entry["baseline"]), None):
            entry["examples"] = _examples(asked, (shown, entry["baseline"]), found, encoded, encoder)
    asked.save()


def run_file(asked: Run, collection: str, system: str) -> Path:
    """Where a system's TREC run is."""
    return asked.folder / "runs" / f"{slug(collection)}.{system}.trec.gz"


def hits_asked(asked: Run, system: System) -> dict[str, int]:
    """Measure → of how many hits: as many as latency asks for, where what is found at the top depends on that."""
    top = max(10, asked.suite.latency.size if asked.suite.latency else 0)
    return {
        measure: top if system.by_size and measure.endswith("@10") else relevance.DEPTH for measure in measures.MEASURES
    }


def _one(asked: Run, found: Collection, ready: Ready, name: str) -> dict[str, Any]:
    system, built = ready.systems[name], ready.facts(name)
    hits = hits_asked(asked, system)
    collected = {
        size: relevance.collect(
            asked.client,
            system,
            found.queries,
            size=size,
            drop_self=asked.suite.drop_self,
            on_progress=partial(asked.on_progress, name),
        )
        for size in set(hits.values())
    }
    for size, one in collected.items():
        kept = name if size == relevance.DEPTH else f"{name}.{size}-hits"
        trec.write(run_file(asked, found.name, kept), one.run, name)
    scored = {size: measures.by_query(found.qrels, one.run) for size, one in collected.items()}
    values = {query: {one: scored[size][query][one] for one, size in hits.items()} for query in found.qrels}
    results.save_values(asked.folder, found.name, name, values)
    deep = collected[relevance.DEPTH]
    text_only = ready.built.get(TEXT_ONLY)
    carries = system.storage.encoder is not None and text_only is not None
    return {
        "parameters": {**system.parameters, "hits": hits},
        "relevance": measures.mean(values),
        "unanswered": deep.unanswered,
        "errors": {query: why for one in collected.values() for query, why in one.errors.items()},
        "ties": trec.tied_queries(deep.run),
        **built,
        **({"ann": system.proof(found.queries.values())} if isinstance(system, Seismic) else {}),
        "vector_bytes": costs.vector_bytes(built["index_bytes"], text_only["index_bytes"])
        if carries and text_only
        else None,
    }


def _compare(asked: Run, entry: dict[str, Any], found: Collection) -> None:
    kept = results.load_values(asked.folder)
    baseline = kept.get((found.name, entry["baseline"]))
    for row in entry["systems"]:
        own = kept.get((found.name, row["name"]))
        if own and baseline and row["name"] != entry["baseline"] and not row.get("against_baseline"):
            row["against_baseline"] = {
                measure: asdict(significance.compare(_of(own, measure), _of(baseline, measure), asked.suite.seed))
                for measure in row["relevance"]
            }
    for measure in measures.MEASURES:  # each is a family of its own: whoever reads one compares all systems by it
        compared = {
            row["name"]: row["against_baseline"][measure] for row in entry["systems"] if "against_baseline" in row
        }
        corrected = significance.holm({name: one["p"] for name, one in compared.items() if one["p"] is not None})
        for name, one in compared.items():
            one["p_holm"] = corrected.get(name)


def _examples(
    asked: Run, compared: tuple[str, str], found: Collection, encoded: Encoded, encoder: QueryEncoder
) -> dict[str, list[dict[str, Any]]]:
    kept = results.load_values(asked.folder)

    def searched(name: str) -> analysis.Searched:
        run = trec.read(run_file(asked, found.name, name))
        return analysis.Searched(name, run, _of(kept[found.name, name], "nDCG@10"))

    source = analysis.Source(found.queries, found.qrels, encoded.text, encoder.encode, encoded.vector, encoder.readable)
    system, baseline = map(searched, compared)
    return analysis.examples(system, baseline, source)


def _of(values: Mapping[str, Mapping[str, float]], measure: str) -> dict[str, float]:
    return {query: found[measure] for query, found in values.items()}
