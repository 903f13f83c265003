"""The report as one HTML page that needs nothing else: no script, no font, no image from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.evaluation.report import amounts, passages, plots, reading
from opensearch_lsr.evaluation.report.figures.canvas import NARROW, WIDE
from opensearch_lsr.evaluation.report.headline import headline
from opensearch_lsr.evaluation.report.reading import Part, mapping, number, parts, text
from opensearch_lsr.evaluation.report.tables import costs, relevance, scale, speed

SHOWN_QUERIES = 4
"""Of a collection's queries that gained, and of those that lost."""


def page(results: Part) -> str:
    """The page of a run, finished or not.

    Raises:
        MissingExtraError: when jinja2 or matplotlib is not installed.
    """
    with needs_extra("report", "the report"):
        import jinja2
        import markupsafe
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"score": amounts.score, "signed": amounts.signed, "plain": amounts.plain}
    systems = list(reading.titles(results))
    figures = {
        name: {
            "caption": plot.caption,
            "wide": markupsafe.Markup(plots.inline(plot, systems, WIDE)),
            "narrow": markupsafe.Markup(plots.inline(plot, systems, NARROW)),
        }
        for name, plot in plots.plots(results).items()
    }
    return environment.get_template("report.html.j2").render(**_content(results), figures=figures)


def _content(results: Part) -> dict[str, Any]:
    run, titles = mapping(results, "run"), reading.titles(results)
    collections, (first, *others) = parts(results, "collections"), reading.timings(results) or [{}]
    sizes = reading.grown(results)
    grown = [timing for timing in others if text(timing, "collection") in sizes]
    grown.sort(key=lambda timing: number(timing, "documents") or 0.0)
    return {
        "name": text(run, "name", "run"),
        "when": text(run, "started")[:10],
        "opensearch": text(mapping(run, "cluster"), "version"),
        "error": text(run, "error"),
        "unfinished": not run.get("finished"),
        "headline": headline(results),
        "baseline": titles.get(reading.baseline(results), reading.baseline(results)),
        "summary": relevance.summary(results),
        "relevance": _kept([relevance.relevance(results, c) for c in reading.with_relevance(results)]),
        "latency": speed.latency(results, first),
        "more_latency": _by_collection(results, [one for one in others if text(one, "collection") not in sizes]),
        "ratios": speed.ratios(results),
        "slopes": scale.slopes(results),
        "ratios_by_size": scale.ratios(results),
        "sizes": scale.sizes(results),
        "latency_by_size": _kept([speed.latency(results, timing) for timing in grown]),
        "likeness": scale.likeness(results),
        "caveat": scale.CAVEAT,
        "clear": reading.CLEAR if reading.corrected(results) else None,
        "space": _kept([costs.space(results, c) for c in collections]),
        "costs": _kept([costs.vectors(results), costs.ingest(results)]),
        "queries": _kept([_queries(c, titles) for c in collections]),
        "skipped": [
            {"what": what, "reason": reason, "where": where}
            for (what, reason), where in reading.skipped(results).items()
        ],
        "measured": _measured(run),
        "parameters": _parameters(collections, titles),
    }


def _by_collection(results: Part, timings: list[Part]) -> list[tuple[str, list[Any]]]:
    """Tables of timings under the name of their collection."""
    found: dict[str, list[Any]] = {}
    for timing in timings:
        found.setdefault(text(timing, "collection"), []).append(speed.latency(results, timing))
    return [(name, _kept(tables)) for name, tables in found.items()]


def _kept(found: list[Any]) -> list[Any]:
    return [item for item in found if item is not None]


def _queries(collection: Part, titles: dict[str, str]) -> dict[str, Any] | None:
    """Queries that gained and lost most, with their documents marked."""
    found = {}
    for side in ("gained", "lost"):
        found[side] = [_query(query, titles) for query in parts(collection, reading.EXAMPLES, side)[:SHOWN_QUERIES]]
    return {"name": text(collection, "name"), **found} if any(found.values()) else None


def _query(query: Part, titles: dict[str, str]) -> dict[str, Any]:
    return {
        "text": text(query, "text") or text(query, "id"),
        "system": titles.get(text(query, "system"), text(query, "system")),
        "difference": number(query, "difference"),
        "value": number(query, "value"),
        "baseline_value": number(query, "baseline_value"),
        "own": _document(mapping(query, "document"), parts(query, "tokens")),
        "other": _document(mapping(query, "baseline_document"), []),
    }


def _document(document: Part, tokens: list[Part]) -> dict[str, Any] | None:
    if not document:
        return None
    marked = passages.passage(document, tokens)
    return {"id": text(document, "id"), "relevant": bool(document.get("relevant")), "passage": marked}


def _measured(run: Part) -> list[tuple[str, list[tuple[str, str]]]]:
    """How it was measured, in groups of ``(name, value)``."""
    cluster, machine = mapping(run, "cluster"), mapping(run, "machine")
    heap, memory = number(cluster, "heap_bytes"), number(machine, "memory_bytes")
    groups = {
        "Run": [
            *((key, text(run, key)) for key in ("started", "finished", "command", "seed", "commit")),
            ("resumed", ", ".join(text(part, "started") for part in parts(run, "resumed"))),
        ],
        "Cluster": [
            ("OpenSearch", text(cluster, "version")),
            ("nodes", text(cluster, "nodes")),
            ("heap", f"{heap / 2**30:.3g} GiB" if heap is not None else ""),
            *((key, _listed(cluster.get(key))) for key in ("java", "plugins")),
            *_flat(mapping(cluster, "settings")),
        ],
        "Indices": _flat(mapping(run, "index_settings")),
        "Machine": [
            ("processor", text(machine, "cpu")),
            ("cores", text(machine, "cores")),
            ("memory", f"{memory / 2**30:.3g} GiB" if memory is not None else ""),
        ],
        "Encoder": [(f"{key} fingerprint", text(mapping(run, "fingerprints"), key)) for key in ("document", "query")],
        "Settings": _flat(mapping(run, "settings")),
        "Versions": _flat(mapping(run, "versions")),
    }
    kept = [(name, [(key, value) for key, value in pairs if value]) for name, pairs in groups.items()]
    return [(name, pairs) for name, pairs in kept if pairs]


def _listed(value: Any) -> str:
    return ", ".join(reading.clean(str(item)) for item in value) if isinstance(value, list) else ""


def _parameters(collections: list[Part], titles: dict[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """What each system was told, from the first collection that has it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for collection in collections:
        for name, system in reading.measured(collection).items():
            pairs = _flat(mapping(system, "parameters"))
            if pairs:
                found.setdefault(titles[name], pairs)
    return list(found.items())


def _flat(value: Part, before: str = "") -> list[tuple[str, str]]:
    """Nested settings as ``(dotted name, value)``."""
    found: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{before}{reading.clean(str(key))}"
        if isinstance(item, dict) and item:
            found += _flat(item, f"{name}.")
        elif item not in (None, [], {}):
            shown = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
            found.append((name, reading.clean(shown)))
    return found
