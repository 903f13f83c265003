"""Bundles: whatever is wrong with a file of theirs, it is that file that is named."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small_bundle
from damage import damaged, spoiled
from fuzzing import answer, fuzz, untouched
from hypothesis import strategies as st
from nasty import as_json, texts, values

from opensearch_lsr import token_weights
from opensearch_lsr.bundle import CONFIG, TABLE, TOKENIZER, Bundle, open_tokenizer
from opensearch_lsr.errors import BundleError
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.stranger_files import inside


@pytest.fixture(scope="module")
def bundle(place: Path) -> Iterator[Path]:
    small_bundle.write(place / "bundle")
    yield place / "bundle"


def broken(name: str) -> st.SearchStrategy[bytes]:
    content = small_bundle.contents()[name]
    return st.one_of(damaged(content), spoiled(json.loads(content)).map(as_json), values().map(as_json))


def used(folder: Path) -> None:
    """Every way to use the query side."""
    opened = Bundle.open(folder)
    answer(opened.verify, folder)
    encoder = QueryEncoder.from_pretrained(str(folder))
    for text in small_bundle.TEXTS:
        assert all(0 < weight <= token_weights.MAX_WEIGHT for weight in encoder.encode(text).values())
    assert encoder.encode_batch(small_bundle.TEXTS) == [encoder.encode(text) for text in small_bundle.TEXTS]


def check(bundle: Path, name: str, content: bytes) -> None:
    whole = (bundle / name).read_bytes()
    try:
        (bundle / name).write_bytes(content)
        with untouched(bundle):
            answer(lambda: used(bundle), bundle / name, bundle)
    finally:
        (bundle / name).write_bytes(whole)


@fuzz("bundle: lsr.json", content=broken(CONFIG))
def test_a_config(bundle: Path, content: bytes) -> None:
    check(bundle, CONFIG, content)


@fuzz("bundle: tokenizer.json", content=broken(TOKENIZER))
def test_a_tokenizer(bundle: Path, content: bytes) -> None:
    check(bundle, TOKENIZER, content)
    file = bundle.parent / "tokenizer.json"
    file.write_bytes(content)
    answer(lambda: open_tokenizer(str(file)), file)
    file.unlink()


@fuzz("bundle: idf.json", content=broken(TABLE))
def test_a_table(bundle: Path, content: bytes) -> None:
    check(bundle, TABLE, content)


@fuzz(
    "token tables",
    weights=st.one_of(
        spoiled(small_bundle.table()),
        st.dictionaries(st.one_of(st.sampled_from(small_bundle.TOKENS), texts(10)), values(), max_size=30),
    ),
)
def test_tables_that_do_not_fit(place: Path, weights: dict[str, Any]) -> None:
    def checked() -> None:
        token_weights.check(weights, small_bundle.TOKENS, small_bundle.SPECIALS, "idf.json")
        assert weights.keys() == set(small_bundle.TOKENS)
        assert all(math.isfinite(weight) for weight in weights.values())
        token_weights.save(weights, place / "kept.json")
        assert token_weights.load(place / "kept.json") == weights

    answer(checked, "idf.json")


@fuzz("names in folders", names=st.lists(texts(12), min_size=1, max_size=3))
def test_a_name_leads_out_of_no_folder(place: Path, names: list[str]) -> None:
    folder = place / "stranger's"
    folder.mkdir(exist_ok=True)
    found = answer(lambda: inside(folder, "/".join(names), BundleError), folder, *names)
    assert found is None or found.resolve().is_relative_to(folder.resolve())


def test_links_in_a_circle_are_refused(bundle: Path) -> None:
    (bundle / CONFIG).rename(bundle / "kept")
    (bundle / CONFIG).symlink_to(CONFIG)
    try:
        with pytest.raises(BundleError, match="leads nowhere"):
            Bundle.open(bundle)
    finally:
        (bundle / "kept").replace(bundle / CONFIG)
