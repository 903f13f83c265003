"""What must be known of a figure is said beside it: its baseline; not proven, not sustained, in-domain, left out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from example_results import example

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from test_report_html import read

from opensearch_lsr.evaluation.report import html, markdown, terminal


def seismic(part: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(system for system in part["systems"] if system["name"] == "seismic")
    return found


def test_approximate_search_that_was_not_proven_is_said_beside_the_name_and_above() -> None:
    results = example()
    seismic(results["collections"][0])["ann"] = {"proven": False, "how": "3 of 300 scores are whole multiples"}
    page = html.page(results)
    said = "SEISMIC (not proven): approximate search was not proven to run on scifact (3 of 300 scores are whole multip"
    assert said in page[: page.index("<main>")]
    assert said in markdown.page(results).replace("\\", "")
    assert said in terminal.verdict(results)

    def rows(title: str) -> list[str]:
        table = page[page.index(f"<figcaption>{title}") :]
        return re.findall(r'<th scope="row">(SEISMIC[^<\n]*)', table[: table.index("</figure>")])

    assert rows("All systems") == ["SEISMIC (not proven)"]
    assert rows("scifact · 300 queries") == ["SEISMIC (not proven)"]
    assert rows("nfcorpus · 323 queries") == ["SEISMIC"]
    assert rows("scifact, 5,183 documents, 1 client") == ["SEISMIC (not proven)"]
    assert rows("10,000 documents grown") == ["SEISMIC"]
    seismic(results["scale"][0])["ann"]["proven"] = False
    page = html.page(results)
    assert rows("10,000 documents grown") == ["SEISMIC (not proven)"]
    assert rows("1,000,000 documents grown") == ["SEISMIC"]


def test_a_rate_that_was_not_sustained_has_no_percentiles() -> None:
    results = example()
    fast = next(timing for timing in results["latency"] if timing["rate"] == 400)
    results["latency"] = [*results["latency"][:3], fast]
    for system in fast["systems"]:
        system |= {"sustained": False, "total_ms": None, "ratio": None, "encode_ms": None, "per_s": 123.4}
    page = html.page(results)
    table = page[page.index("open loop, 400 queries/s") :]
    assert table[: table.index("</figure>")].count("not sustained") == len(fast["systems"])
    assert '<td class="figure">123' in table
    read(results | {"latency": [fast]})  # nothing to draw
    for system in results["latency"][0]["systems"]:
        system["total_ms"]["p99"] = system["ratio"]["p99"] = None
        system["ratio"]["p95"] = {"value": 1.5, "low": None, "high": None}
    assert "1.50×" in read(results).words


def test_the_baseline_is_the_one_that_ratios_are_to() -> None:
    """The scale's need not be the suite's; what an older file does not say is the collection's."""
    results = {key: value for key, value in example().items() if key != "latency"}
    results["scale"] = results["scale"][:1]
    results["scale"][0] |= {"baseline": "tokens"}
    for name in ("bm25", "tokens"):
        row = next(system for system in results["scale"][0]["systems"] if system["name"] == name)
        row["ratio"] = None if name == "tokens" else row["ratio"]
    page = html.page(results)
    table = page[page.index("<figcaption>10,000 documents grown") :]
    row = table[table.index('<tr class="baseline">') :]
    assert "LSR (tokens)" in row[: row.index("</tr>")]
    assert "1×" in row[: row.index("</tr>")]
    assert "to LSR (tokens)" in page[page.index("Slope: time added") :]


def test_a_grown_collection_never_stands_for_a_real_one() -> None:
    """Its documents are synthetic: the largest there is, and yet in a section of its own."""
    page = html.page(example())
    real, grown = page[: page.index("<h2>Time by corpus size")], page[page.index("<h2>Time by corpus size") :]
    assert "1.38×" in real
    assert "p95 at 1M documents" in real
    assert "39.7 ms at the client against 21.8 ms; grown from medquad" in real
    assert "<figcaption>medquad, 16,407 documents, 1 client, closed loop" in real
    assert "grown to" not in real
    titles = re.findall(r"<figcaption>(medquad grown to [^<]*)", grown)
    assert titles == [
        "medquad grown to 100,000 documents, 4 clients, closed loop, hits counted, merged",
        "medquad grown to 1,000,000 documents, 1 client, closed loop, hits counted, merged",
    ]
    by_size = grown[grown.index("<figcaption>p95 against the baseline, by documents") :]
    assert re.findall('<th scope="col" class="figure">([^<]*)', by_size)[:3] == ["10,000", "100,000", "1,000,000"]
    rows = by_size[: by_size.index("</table>")]
    assert rows.count("overlap@10 0.941") == 3  # of the approximate system alone, at each size
    assert rows.count("overlap@10") == 3
    alone = {key: value for key, value in example().items() if key in ("scale", "slopes")}
    assert "p95 at 1M documents" in html.page(alone)


def test_what_was_left_out_at_scale_and_what_its_vectors_are() -> None:
    results = example()
    reason = "grown documents have vectors of the bundle only"
    for part in results["scale"]:
        part["systems"].append({"name": "dense", "title": "Dense k-NN", "skipped": reason})
    page = read(results)
    assert f"Dense k-NN : {reason} on medquad at 10,000, medquad at 100,000, medquad at 1,000,000" in page.words
    assert "as much weight as a sample of grown documents has that was encoded whole" in page.words


def test_collections_of_the_encoders_own_domain_are_marked() -> None:
    results = example()
    results["collections"][0]["in_domain"] = True
    words = read(results).words
    assert words.count("scifact †") == 4  # the plot, wide and narrow; all systems; above all measures
    explained = "†: in-domain, the encoder was trained on that collection’s train split."
    assert words.count(explained) == 2  # below the plot and the table
    assert "| scifact † | nfcorpus |" in markdown.page(results)
    assert explained in markdown.page(results)
    assert "The encoder was trained on the train split of scifact." in terminal.verdict(results)
    results["collections"][2]["in_domain"] = results["collections"][3]["in_domain"] = True
    assert "on the train splits of scifact, cranfield and medquad." in terminal.verdict(results)


def test_settings_of_cluster_and_indices_and_when_it_was_resumed_are_on_the_page() -> None:
    results = example()
    results["run"]["cluster"] |= {"settings": {"search.concurrent_segment_search.mode": "none"}, "java": ["21.0.8"]}
    results["run"]["settings"]["systems"] = []
    results["run"] |= {"index_settings": {"number_of_shards": 1}, "resumed": [{"started": "2026-11-24T08:00:00+00:00"}]}
    words = read(results).words
    assert "search.concurrent_segment_search.mode none" in words
    assert "number_of_shards 1" in words
    assert "java 21.0.8" in words
    assert "[]" not in words
    assert "resumed 2026-11-24T08:00:00+00:00" in words


def test_queries_that_a_system_refuses_are_said_below_its_table() -> None:
    results = example()
    assert "refuse" not in html.page(results)
    seismic(results["collections"][0])["errors"] = {"q1": "400: too many clauses", "q2": "400: too many clauses"}
    said = "Queries that a system refuses count zero. SEISMIC: 2 refused (400: too many clauses)."
    assert html.page(results).count(said) == 1
    assert said in markdown.page(results).replace("\\", "")
