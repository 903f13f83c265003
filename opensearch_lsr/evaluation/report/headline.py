"""The answer first: is it better than the baseline, by how much, and what does it cost."""

from __future__ import annotations

from dataclasses import dataclass

from opensearch_lsr.evaluation.report import amounts, reading
from opensearch_lsr.evaluation.report.reading import MEASURE, Part, Tone, mapping, number, text

_CLEAR: tuple[Tone, ...] = ("better", "worse")


@dataclass(frozen=True)
class Tile:
    """One large figure with what it is and what it was taken from."""

    label: str
    value: str
    detail: str
    tone: Tone = "none"


@dataclass(frozen=True)
class Headline:
    """The verdict, what supports it, and the figures behind it."""

    verdict: str
    sentences: list[str]
    tiles: list[Tile]
    system: str | None
    notices: list[str]


def headline(results: Part) -> Headline:
    """The verdict on the first system after the baseline that is not another BM25."""
    titles = reading.titles(results)
    base = reading.baseline(results)
    system, notices = _asked_about(results, base), _notices(results)
    if system is None:
        return Headline("Nothing has been compared yet.", [], [], None, notices)
    name, baseline = titles[system], titles.get(base, base)
    pairs = _pairs(results, system)
    tiles = (_quality(pairs), _time(results, system), _time_when_grown(results, system), _space(results, system))
    sentences = (_support(pairs, baseline), _best(results, system), _in_domain(results))
    verdict = _verdict(pairs, name, baseline)
    return Headline(verdict, list(filter(None, sentences)), list(filter(None, tiles)), system, notices)


def _notices(results: Part) -> list[str]:
    """Of figures that may not be what they are taken for."""
    titles = reading.titles(results)
    return [
        f"{titles[name]}: approximate search was not proven to run on {where}{f' ({how})' if how else ''}; "
        "its figures there may be those of exact search."
        for name, where, how in reading.unproven(results)
    ]


@dataclass(frozen=True)
class _Pair:
    """A collection where both were measured."""

    collection: Part
    value: float
    baseline_value: float
    against: Part

    @property
    def tone(self) -> Tone:
        return reading.tone(self.against)


def _asked_about(results: Part, base: str) -> str | None:
    """The system that is reported on: not skipped everywhere, not the baseline, no BM25."""
    names = [name for c in reading.with_relevance(results) for name in reading.measured(c)]
    names += [text(s, "name") for timing in reading.timings(results) for s in reading.parts(timing, "systems")]
    names += list(reading.by_size(results))
    return next((name for name in names if name != base and not name.startswith("bm25")), None)


def _pairs(results: Part, name: str) -> list[_Pair]:
    found = []
    for collection in reading.with_relevance(results):
        systems = reading.measured(collection)
        system, base = systems.get(name, {}), systems.get(reading.text(collection, "baseline", reading.BASELINE), {})
        value, baseline_value = number(system, "relevance", MEASURE), number(base, "relevance", MEASURE)
        if value is not None and baseline_value is not None:
            found.append(_Pair(collection, value, baseline_value, mapping(system, "against_baseline", MEASURE)))
    return found


def _verdict(pairs: list[_Pair], name: str, baseline: str) -> str:
    known = [pair for pair in pairs if pair.tone != "none"]
    if not known:
        return f"{name} beside {baseline}: {'no intervals were taken' if pairs else 'relevance was not measured'}."
    better, worse = _count(known, "better"), _count(known, "worse")
    one = len(known) == 1
    if not better and not worse:
        where = text(known[0].collection, "name") if one else f"any of {len(known)} collections"
        return f"No clear difference between {name} and {baseline} on {where}."
    winner, loser, won, lost = (name, baseline, better, worse) if better >= worse else (baseline, name, worse, better)
    if one:
        return f"{winner} ranks better than {loser} on {text(known[0].collection, 'name')}."
    where = f"all {won}" if won == len(known) else f"{won} of {len(known)}"
    return f"{winner} ranks better than {loser} on {where} collections{f' and worse on {lost}' if lost else ''}."


def _count(pairs: list[_Pair], tone: Tone) -> int:
    return sum(pair.tone == tone for pair in pairs)


def _support(pairs: list[_Pair], baseline: str) -> str:
    """The pairs' means, or one pair's figures and count of queries."""
    if not pairs:
        return ""
    own, other = _means(pairs)
    line = f"{MEASURE} {own:.3f} against {other:.3f} of {baseline}"
    if len(pairs) > 1:
        unclear = _count(pairs, "even")
        rest = f" On {unclear} there is no clear difference." if 0 < unclear < len(pairs) else ""
        return f"Mean {line}.{rest}"
    won, tied, lost = (number(pairs[0].against, key) for key in ("wins", "ties", "losses"))
    if won is None or tied is None or lost is None:
        return f"{line}."
    return f"{line}: {won:,.0f} queries won, {tied:,.0f} tied, {lost:,.0f} lost."


def _means(pairs: list[_Pair]) -> tuple[float, float]:
    return sum(p.value for p in pairs) / len(pairs), sum(p.baseline_value for p in pairs) / len(pairs)


def _best(results: Part, name: str) -> str:
    """The system with the highest mean, where it is not the one asked about."""
    collections = reading.with_relevance(results)
    means: dict[str, float] = {}
    for system in reading.titles(results):
        values = [number(reading.measured(c).get(system, {}), "relevance", MEASURE) for c in collections]
        whole = [value for value in values if value is not None]
        if whole and len(whole) == len(values):
            means[system] = sum(whole) / len(whole)
    if name not in means or max(means.values()) <= means[name] + 0.0005:
        return ""
    best = max(means, key=means.__getitem__)
    mean = "mean " if len(collections) > 1 else ""
    return f"Highest {mean}{MEASURE} of all compared: {reading.titles(results)[best]}, {means[best]:.3f}."


def _in_domain(results: Part) -> str:
    names = reading.in_domain(results)
    if not names:
        return ""
    *others, last = names
    listed = f"splits of {', '.join(others)} and {last}" if others else f"split of {last}"
    return f"The encoder was trained on the train {listed}."


def _quality(pairs: list[_Pair]) -> Tile | None:
    if not pairs:
        return None
    own, other = _means(pairs)
    bounds = amounts.interval(number(pairs[0].against, "low"), number(pairs[0].against, "high"))
    if len(pairs) > 1:
        counts = ", ".join(f"{tone} on {_count(pairs, tone)}" for tone in _CLEAR if _count(pairs, tone))
        detail = f"mean of {len(pairs)} collections" + (f"; clearly {counts}" if counts else "")
    else:
        detail = f"95 % interval {bounds}" if bounds else text(pairs[0].collection, "name")
    tones = {pair.tone for pair in pairs} - {"even"}
    return Tile(
        f"Relevance, {MEASURE}", amounts.signed(own - other), detail, tones.pop() if len(tones) == 1 else "none"
    )


def _time(results: Part, name: str) -> Tile | None:
    sizes = reading.grown(results)
    for timing in (timing for timing in reading.timings(results) if text(timing, "collection") not in sizes):
        systems = reading.timed(timing)
        base = systems.get(reading.baseline_of(results, timing), {})
        own, other = number(systems.get(name), "total_ms", "p95"), number(base, "total_ms", "p95")
        if own is not None and other is not None:
            documents = number(timing, "documents")
            among = f", {amounts.count(documents)} documents" if documents else ""
            return _slower("Time of a query, p95", systems[name], own, other, among)
    return None


def _time_when_grown(results: Part, name: str) -> Tile | None:
    """At the largest size."""
    for part in sorted(reading.parts(results, "scale"), key=lambda part: -(number(part, "documents") or 0.0)):
        systems = reading.measured(part)
        base = systems.get(reading.baseline_of(results, part), {})
        own, other = number(systems.get(name), "total_ms", "p95"), number(base, "total_ms", "p95")
        if own is not None and other is not None:
            label = f"p95 at {amounts.short_count(number(part, 'documents') or 0.0)} documents"
            source = f"; grown from {text(part, 'collection')}"
            return _slower(label, systems[name], own, other, source)
    return None


def _slower(label: str, system: Part, own: float, other: float, more: str) -> Tile:
    value = number(system, "ratio", "p95", "value") or reading.ratio(own, other)
    detail = f"{amounts.plain(own)} ms at the client against {amounts.plain(other)} ms"
    return Tile(label, amounts.times(value), detail + more)


def _space(results: Part, name: str) -> Tile | None:
    found = []
    for collection in reading.parts(results, "collections"):
        systems = reading.measured(collection)
        own = reading.bytes_per_document(collection, systems.get(name, {}))
        other = reading.bytes_per_document(collection, systems.get(reading.text(collection, "baseline"), {}))
        if own is not None and other:
            found.append((own, other))
    if not found:
        return None
    own, other = (sum(values) / len(found) for values in zip(*found, strict=True))
    detail = f"{amounts.size(own)} a document against {amounts.size(other)}"
    return Tile("Size of the index", amounts.times(own / other), detail)
