"""The plots: files that open, the same every time, with what the run says in them."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from example_results import example

pytest.importorskip("matplotlib")

from opensearch_lsr.evaluation.report import plots, reading
from opensearch_lsr.evaluation.report.figures.canvas import NARROW, WIDE, Canvas, decimals, round_values, spread

SVG = "{http://www.w3.org/2000/svg}"


def small() -> dict[str, Any]:
    """Two collections, three systems."""
    results = example()
    results["collections"] = results["collections"][:2]
    for part in (*results["collections"], *results["latency"], *results["scale"]):
        part["systems"] = [s for s in part["systems"] if s["name"] in ("bm25", "tokens", "seismic")]
    results["latency"] = [t for t in results["latency"] if t["collection"] in ("scifact", "medquad")]
    return results


def words(results: dict[str, Any], name: str, width: int = WIDE) -> list[str]:
    """The text in a plot, as the page has it."""
    drawn = plots.inline(plots.plots(results)[name], list(reading.titles(results)), width)
    return [element.text or "" for element in ElementTree.fromstring(drawn).iter("text")]


def test_files(tmp_path: Path) -> None:
    written = plots.save(small(), tmp_path / "plots")
    names = [
        f"{name}.{kind}" for name in ("relevance", "latency", "load", "scale", "tradeoff") for kind in ("png", "svg")
    ]
    assert [file.name for file in written] == names
    for file in written:
        if file.suffix == ".png":
            assert file.read_bytes().startswith(b"\x89PNG")
            assert int.from_bytes(file.read_bytes()[16:20]) == 2 * WIDE
        else:
            root = ElementTree.parse(file).getroot()
            assert root.tag == f"{SVG}svg"
            assert not list(root.iter(f"{SVG}text")), "outlines: no font is needed"


def test_the_same_results_give_the_same_files(tmp_path: Path) -> None:
    results = {"collections": small()["collections"]}
    for name in ("a", "b"):
        plots.save(results, tmp_path / name)
    assert {file.name for file in (tmp_path / "a").iterdir()} >= {"relevance.svg", "tradeoff.png"}
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_differences_with_the_values_behind_them(width: int) -> None:
    results = small()
    found = words(results, "relevance", width)
    for collection in results["collections"]:
        assert collection["name"] in found
        base, *others = collection["systems"]
        assert f"BM25 (english) {base['relevance']['nDCG@10']:.3f}" in found
        for system in others:
            assert f"{system['relevance']['nDCG@10']:.3f}" in found
    assert found.count("LSR (tokens)") == (1 if width == WIDE else 2)  # names once a row of panels


def test_a_filled_dot_is_a_clear_difference() -> None:
    results = {"collections": small()["collections"][:1]}
    results["collections"][0]["systems"] = results["collections"][0]["systems"][:2]
    against = results["collections"][0]["systems"][1]["against_baseline"]["nDCG@10"]

    def face() -> str:
        drawn = plots.inline(plots.plots(results)["relevance"], ["bm25", "tokens"], WIDE)
        (dot,) = [u for u in ElementTree.fromstring(drawn).iter("use") if "--s1" in u.get("style", "")]
        return dot.get("style", "").split(";")[0]

    against |= {"low": 0.001}
    assert face() == "fill: var(--s1)"
    against |= {"low": -0.001}
    assert face() == "fill: var(--paper)"


def test_time_by_size_names_its_lines_and_sizes() -> None:
    found = words(small(), "scale")
    assert {"10k", "100k", "1M", "p50", "p95", "SEISMIC", "LSR (tokens)", "BM25 (english)"} <= set(found)


def test_plots_only_of_what_there_is() -> None:
    results = small()
    assert set(plots.plots({})) == set()
    assert set(plots.plots({"run": results["run"], "slopes": results["slopes"]})) == set()
    assert set(plots.plots({"latency": results["latency"][:1]})) == {"latency"}
    assert set(plots.plots({"collections": results["collections"]})) == {"relevance", "tradeoff"}
    assert set(plots.plots({"scale": results["scale"][:1]})) == set()
    assert set(plots.plots({"scale": results["scale"][:2]})) == {"scale"}
    results["collections"][0]["systems"] = results["collections"][0]["systems"][:1]
    assert set(plots.plots({"collections": results["collections"][:1]})) == set()


@pytest.mark.parametrize("name", ["<b>&", "$\\frac{", "a\x00b", "模型", "x" * 200, ""])
def test_any_name_can_be_drawn(name: str) -> None:
    results = {"collections": small()["collections"][:1]}
    results["collections"][0] |= {"name": name}
    results["collections"][0]["systems"][1] |= {"title": name}
    found = words(results, "relevance")
    assert name.replace("\x00", " ")[:21] in " ".join(found)


def test_one_time_for_all_can_be_drawn() -> None:
    results = {"latency": small()["latency"][:1]}
    for system in results["latency"][0]["systems"]:
        system |= {
            "total_ms": {"p50": 1.0, "p95": 1.0, "p99": 1.0},
            "histogram": {"edges_ms": [1.0, 1.0], "counts": [9]},
        }
    assert words(results, "latency").count("1.00") == 2 * 3


def test_colours_stay_with_systems() -> None:
    canvas = Canvas(WIDE, ["bm25", *(f"s{i}" for i in range(20))])
    assert canvas.colour("bm25") not in {canvas.colour(f"s{i}") for i in range(20)}
    looks = {(canvas.colour(f"s{i}"), canvas.marker(f"s{i}")) for i in range(20)}
    assert len(looks) == 20


@pytest.mark.parametrize("seed", range(5))
def test_labels_keep_their_distance(seed: int) -> None:
    draw = random.Random(seed)
    wanted = [draw.uniform(-20, 120) for _ in range(8)]
    places = spread(wanted, 10, 0, 100)
    ordered = sorted(places)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(ordered))
    assert ordered[0] >= 0
    assert ordered[-1] <= 100
    assert sorted(range(8), key=wanted.__getitem__) == sorted(range(8), key=places.__getitem__)
    assert spread([5.0, 50.0], 10, 0, 100) == [5.0, 50.0]
    assert spread([50.0, 50.0], 10, 0, 100) == [45.0, 55.0]


def test_ticks() -> None:
    assert round_values(0.9, 21) == [1, 2, 5, 10, 20]
    assert round_values(4, 6.1) == [4, 5, 6]
    assert round_values(0.89, 1.95) == [1, 1.2, 1.5]
    assert len(round_values(1e-3, 1e6)) <= 7
    assert decimals([0, 0.05, 0.1]) == 2
    assert decimals([0.675, 0.68]) == 3
    assert decimals([]) == 2
