"""Recipes and benchmark suites: a file and ``--set`` give settings that can be written and read again, or one line."""

from __future__ import annotations

from pathlib import Path

import toml_text
from damage import damaged
from fuzzing import answer, fuzz, untouched
from hypothesis import strategies as st

from opensearch_lsr import settings_file
from opensearch_lsr.evaluation import suite
from opensearch_lsr.training import recipe_file
from opensearch_lsr.training.recipe import Recipe

SHIPPED = [file.read_bytes() for file in sorted(recipe_file.SHIPPED.glob("*.toml"))]
SUITE = b"""\
collections = ["."]
systems = ["bm25", "tokens"]
seed = 3

[latency]
rounds = 2
clients = [1, 4]
rates = [10, 20.5]
track_total_hits = ["default"]

[scale]
sizes = [1000, 2000]
collection = "."
"""
START = b'name = "a"\nmodel.backbone = "owner/model"\n'
recipes = st.one_of(
    st.sampled_from(SHIPPED).flatmap(damaged), toml_text.files(Recipe).map(lambda text: START + text), st.just(START)
)
suites = st.one_of(
    damaged(SUITE),
    toml_text.files(suite.Suite).map(lambda text: b'collections = ["."]\n' + text),
    st.just(SUITE),
)


@fuzz("recipes", 1.5, content=recipes, given=st.lists(toml_text.settings_of(Recipe), max_size=2))
def test_recipes(place: Path, content: bytes, given: list[str]) -> None:
    file = place / "recipe.toml"
    file.write_bytes(content)
    with untouched(place):
        found = answer(lambda: recipe_file.read(file, given), file, "--set", "is no path")
    if found:
        file.write_text(settings_file.text(found, whole_paths=True), encoding="utf-8")
        assert recipe_file.read(file) == found


@fuzz("benchmark suites", 1.5, content=suites, given=st.lists(toml_text.settings_of(suite.Suite), max_size=2))
def test_suites(place: Path, content: bytes, given: list[str]) -> None:
    file = place / "suite.toml"
    file.write_bytes(content)
    with untouched(place):
        found = answer(lambda: suite.read(file, given), file, "--set", "is no path")
    if found:
        settings_file.text(found)
