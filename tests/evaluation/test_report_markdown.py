"""The tables as Markdown and in the terminal, and the verdict above them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from example_results import example

from opensearch_lsr.evaluation.report import amounts, markdown, terminal
from opensearch_lsr.evaluation.report.headline import headline
from opensearch_lsr.evaluation.report.tables import relevance
from opensearch_lsr.evaluation.report.tables.table import Cell, best, table


def only(*bounds: tuple[float, float]) -> dict[str, Any]:
    """As many collections, with such intervals of the tokens' difference."""
    results = example()
    results["collections"] = results["collections"][: len(bounds)]
    for collection, (low, high) in zip(results["collections"], bounds, strict=True):
        collection["systems"] = [s for s in collection["systems"] if s["name"] in ("bm25", "tokens")]
        collection["systems"][1]["against_baseline"]["nDCG@10"] |= {"low": low, "high": high}
    return results


UP, DOWN, EVEN = (0.01, 0.02), (-0.02, -0.01), (-0.01, 0.01)


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ([UP], "LSR (tokens) ranks better than BM25 (english) on scifact."),
        ([DOWN], "BM25 (english) ranks better than LSR (tokens) on scifact."),
        ([EVEN], "No clear difference between LSR (tokens) and BM25 (english) on scifact."),
        ([UP, UP], "LSR (tokens) ranks better than BM25 (english) on all 2 collections."),
        ([UP, EVEN, DOWN], "LSR (tokens) ranks better than BM25 (english) on 1 of 3 collections and worse on 1."),
        ([UP, DOWN, DOWN], "BM25 (english) ranks better than LSR (tokens) on 2 of 3 collections and worse on 1."),
        ([EVEN, EVEN], "No clear difference between LSR (tokens) and BM25 (english) on any of 2 collections."),
    ],
)
def test_verdict(bounds: list[tuple[float, float]], verdict: str) -> None:
    results = only(*bounds)
    assert headline(results).verdict == verdict
    assert terminal.verdict(results).startswith(verdict)


@pytest.mark.parametrize(
    ("p", "verdict"),
    [
        ((0.04, 0.06), "LSR (tokens) ranks better than BM25 (english) on 1 of 2 collections."),
        ((0.06, 0.2), "No clear difference between LSR (tokens) and BM25 (english) on any of 2 collections."),
    ],
)
def test_a_corrected_p_decides_where_there_is_one(p: tuple[float, float], verdict: str) -> None:
    results = only(UP, UP)
    for collection, corrected in zip(results["collections"], p, strict=True):
        collection["systems"][1]["against_baseline"]["nDCG@10"] |= {"p": 0.01, "p_holm": corrected}
    assert headline(results).verdict == verdict
    page = markdown.page(results)
    assert "| p (Holm) |" in page
    assert f"| {p[0]:.3f} |" in page
    assert "| 0.010 |" not in page


def test_the_figures_of_the_verdict() -> None:
    found = headline(only(UP))
    tiles = {tile.label: (tile.value, tile.tone) for tile in found.tiles}
    assert tiles["Relevance, nDCG@10"][1] == "better"
    assert tiles["Time of a query, p95"] == ("1.38×", "none")
    assert tiles["Size of the index"] == ("2.00×", "none")
    assert re.fullmatch(
        r"nDCG@10 0\.\d{3} against 0\.672 of BM25 \(english\): 80 queries won, 160 tied, 60 lost\.", found.sentences[0]
    )


def test_the_best_of_all_is_named_beside_the_one_asked_about() -> None:
    found = headline(example())
    assert found.system == "tokens"
    assert found.sentences[-1].startswith("Highest mean nDCG@10 of all compared: Hybrid (BM25 + LSR), 0.")


@pytest.mark.parametrize("results", [{}, {"collections": [{"name": "a", "systems": [{"name": "bm25"}]}]}])
def test_nothing_to_compare(results: dict[str, Any]) -> None:
    assert headline(results).verdict == "Nothing has been compared yet."
    assert markdown.summary(results) == ""
    assert terminal.summary(results) == []
    assert markdown.page(results) == "# run\n\nNothing has been compared yet.\n"


def test_the_table_for_a_readme() -> None:
    results = example()
    lines = markdown.summary(results).splitlines()
    head, rules, *rows = [line for line in lines if line.startswith("|")]
    assert head == (
        "| system | scifact | nfcorpus | cranfield | medquad | stackfaq | mean | p50 ms | p95 ms | p95 ratio "
        "| index a document |"
    )
    assert rules == "| :-- |" + " --: |" * 10
    assert [row.split(" | ")[0] for row in rows][:3] == ["| BM25 (english)", "| BM25 (standard)", "| LSR (tokens)"]
    tokens = next(s for s in results["collections"][0]["systems"] if s["name"] == "tokens")
    assert f" | ▴ {tokens['relevance']['nDCG@10']:.3f} | " in rows[2]
    seismic = next(row for row in rows if row.startswith("| SEISMIC")).split(" | ")
    assert seismic[5:7] == ["–", "–"], "skipped on one collection: no mean over others"
    assert "Bi-encoder" not in "".join(rows)


def test_every_table_of_the_page_is_whole() -> None:
    page = markdown.page(example())
    blocks = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
    assert len(blocks) > 20
    for block in blocks:
        assert len({line.count(" |") for line in block.splitlines()}) == 1
    assert "Left out: SEISMIC on stackfaq: needs OpenSearch 3.3, this is 2.19.1" in page
    assert "Measured: OpenSearch 3.6.0" in page


def test_text_cannot_break_a_table() -> None:
    hostile = "a|b <script> `c` *d*\n[e](f)"
    results = only(UP)
    results["collections"][0]["systems"][1]["title"] = hostile
    row = next(line for line in markdown.summary(results).splitlines() if "script" in line)
    assert row.startswith("| a\\|b &lt;script&gt; \\`c\\` \\*d\\* \\[e\\](f) | ")
    assert len(re.findall(r"(?<!\\)\|", row)) == 7


def test_terminal_tables_fit_the_width() -> None:
    found = relevance.summary(example())
    assert found is not None
    assert len(terminal.fitted(found, 300)) == 1
    narrow = terminal.fitted(found, 60)
    assert len(narrow) > 2
    for columns, rows in narrow:
        assert columns[0] == "system"
        assert len(rows) == len(found.rows)
        for row in rows:
            assert len("   ".join(row)) <= 60
    assert [title.strip() for columns, _ in narrow for title in columns[1:]] == found.columns[1:]
    assert all(len({len(row[i]) for row in rows}) == 1 for columns, rows in narrow for i in range(1, len(columns)))


def test_columns_without_figures_are_left_out() -> None:
    found = table("t", ["system", "a", "b"], [(True, ["x", "–", "1"]), (False, ["y", "", Cell("2")])])
    assert found is not None
    assert found.columns == ["system", "b"]
    assert [row.kind for row in found.rows] == ["baseline", "system"]
    assert table("t", ["system", "a"], [(False, ["x", "–"])]) is None
    assert table("t", ["system", "a"], []) is None


def test_best_of_a_column() -> None:
    assert best([0.5, 0.7, None, 0.7001]) == [False, True, False, True]
    assert best([3.0, 2.0], lower=True) == [False, True]
    assert best([0.5, 0.5]) == [False, False]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (amounts.signed(-0.0041), "−0.004"),
        (amounts.signed(-0.0001), "±0.000"),
        (amounts.signed(None), "–"),
        (amounts.plain(0.0123), "0.012"),
        (amounts.plain(1.0), "1.00"),
        (amounts.plain(12.34), "12.3"),
        (amounts.plain(9.999), "10.0"),
        (amounts.plain(12345.6), "12,346"),
        (amounts.size(1_230_000_000), "1.23 GB"),
        (amounts.size(999.6), "1.00 kB"),
        (amounts.size(12), "12 bytes"),
        (amounts.short_count(250_000), "250k"),
        (amounts.probability(0.0004), "< 0.001"),
    ],
)
def test_amounts(written: str, expected: str) -> None:
    assert written == expected
