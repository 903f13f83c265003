"""The page: well formed, whole in itself, safe with whatever the data says, and there for runs that stopped early."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from example_results import example, query

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from opensearch_lsr.evaluation.report import html
from opensearch_lsr.evaluation.report.figures.canvas import COLOURS
from opensearch_lsr.evaluation.report.write import write

VOID = {"meta", "br", "hr", "input", "link", "img"}
HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}$\\frac$\x00\ud800"
KEPT = {"mode", "track_total_hits", "started"}
"""Keys whose values the reader acts on."""


class Page(HTMLParser):
    """Tags in order, attributes, ids, the text, and whether all that was opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.style = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        else:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def read(results: dict[str, Any]) -> Page:
    """The page, checked for what every page must be."""
    page = html.page(results)
    assert page.startswith("<!doctype html>")
    found = Page(page)
    assert found.open == []
    assert not found.tags & {"script", "img", "iframe", "object", "embed", "link", "base", "form", "audio", "video"}
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert len(found.ids) == len(set(found.ids))
    targets = [value for _, name, value in found.attributes if name in ("href", "src", "srcset", "xlink:href")]
    targets += re.findall(r"url\(([^)]*)\)", " ".join(value for _, _, value in found.attributes))
    assert {target.removeprefix("#") for target in targets} <= set(found.ids), "points to itself only"
    assert "@import" not in found.style
    assert "url(" not in found.style
    assert "http" not in found.style
    return found


def mangled(value: Any, key: str = "") -> Any:
    """Everything that is text, keys of free tables included, with hostile text behind it."""
    if isinstance(value, dict):
        free = key in ("versions", "settings", "parameters", "relevance")
        return {k + HOSTILE if free and k != "nDCG@10" else k: mangled(inner, k) for k, inner in value.items()}
    if isinstance(value, list):
        return [mangled(inner, key) for inner in value]
    return value + HOSTILE if isinstance(value, str) and key not in KEPT else value


@pytest.fixture(scope="module")
def whole() -> Page:
    """The page of a finished run."""
    return read(example())


def test_a_whole_run(whole: Page) -> None:
    assert {"relevance", "time", "size", "cost", "queries", "how"} <= set(whole.ids)
    assert "LSR (tokens) ranks better than BM25 (english) on 3 of 5 collections and worse on 1." in whole.words
    assert whole.words.count("first hit") == 2 * 3 * 5  # two documents for each of three queries a collection
    assert "svg" in whole.tags
    assert {("mark", "class", "m4"), ("mark", "title", "contributes 15.7"), ("li", "class", "added m1")} <= set(
        whole.attributes
    )


def test_it_holds_the_figures(whole: Page) -> None:
    results, words = example(), whole.words
    for collection in results["collections"]:
        for system in collection["systems"]:
            if not system["skipped"]:
                assert f"{system['relevance']['nDCG@10']:.3f}" in words
    tokens = next(s for s in results["collections"][0]["systems"] if s["name"] == "tokens")
    against = tokens["against_baseline"]["nDCG@10"]
    assert f"{against['difference']:+.3f} {against['low']:+.3f} to {against['high']:+.3f}" in words
    assert f"{against['wins']} · {against['ties']} · {against['losses']}" in words
    assert "1.38× 1.31–1.46" in words  # p95 of tokens, as its ratio says
    assert "18.0 17.3 to 19.0 1.92× 1.82–2.02" in words  # its slope, and that by the baseline's
    for said in ("no bi-encoder bundle was given (--bi-encoder)", "AMD EPYC 9B14", "4 GiB", "ca1dae7b" * 8, "dff9e34c"):
        assert said in words


def test_whatever_the_data_says_is_text(whole: Page) -> None:
    page = read(mangled(example()))
    assert page.tags | {"mark"} == whole.tags  # tokens with such an end mark no word
    assert page.words.count("<script>alert(1)</script>") > 100
    assert "{{7*7}}" in page.words
    assert not {"\x00", "\ud800"} & set(page.words)


@pytest.mark.parametrize(
    ("kept", "sections"),
    [
        ((), {"how"}),
        (("run",), {"how"}),
        (("run", "collections"), {"relevance", "cost", "queries", "how"}),
        (("latency",), {"time", "how"}),
        (("run", "scale", "slopes"), {"size", "how"}),
        (("slopes",), {"size", "how"}),
    ],
)
def test_parts_alone(kept: tuple[str, ...], sections: set[str]) -> None:
    page = read({key: value for key, value in example().items() if key in kept})
    found = {i for i in page.ids if not re.search(r"-\d", i)}  # those of plots end in their width and a hash
    assert found == sections
    assert {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")} == {
        f"#{s}" for s in sections
    }


def test_a_run_that_stopped() -> None:
    results = example()
    results["run"] |= {"error": "no answer from <http://127.0.0.1:9200>: is it up?", "finished": None}
    results["collections"] = results["collections"][:2]
    results["collections"][1] = {"name": "nfcorpus", "systems": [{"name": "bm25", "title": "BM25 (english)"}]}
    words = read(results | {"latency": None, "scale": None, "slopes": None}).words
    assert "This run ended early: no answer from <http://127.0.0.1:9200>: is it up?" in words
    assert "ranks better than BM25 (english) on scifact." in words
    results["run"]["error"] = None
    assert "This run has not finished." in read(results).words


def test_missing_and_odd_values_leave_a_page() -> None:
    results = example()
    for collection in results["collections"]:
        collection["examples"] = {
            "gained": [{"id": "q1", "document": None}],
            "lost": [query("q2", -0.5) | {"tokens": None}],
        }
        for system in collection["systems"]:
            system.pop("against_baseline", None)
            system["index_bytes"] = float("nan")
    for timing in results["latency"]:
        timing.pop("clients")
        for system in timing["systems"]:
            system |= {"histogram": None, "encode_ms": None, "ratio": None}
    page = read(results)
    assert "no hit" in page.words
    assert "no intervals were taken" in page.words
    assert "nan" not in page.words.split()


def test_the_style_sheet_has_all_colours_of_the_plots_for_light_and_dark(whole: Page) -> None:
    for name, colour in COLOURS.items():
        light, dark = re.findall(rf"--{name}: (#\w+);", whole.style)
        assert light == colour
        assert dark != light


def test_a_report_is_written_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "a"
    results = {"run": example()["run"], "latency": example()["latency"][:1]}
    write({"run": results["run"]}, folder)
    written = write(results, folder)
    assert [str(file.relative_to(folder)) for file in written] == [
        "report.html",
        "table.md",
        "plots/latency.png",
        "plots/latency.svg",
    ]
    assert "Time of a query" in (folder / "report.html").read_text(encoding="utf-8")
    assert "| tokens | 2.90 |" in (folder / "table.md").read_text(encoding="utf-8")
