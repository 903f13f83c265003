"""Checkpoints: headers of safetensors, configs and indices that say anything give an encoder, or one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from damage import damaged, spoiled
from fuzzing import answer, fuzz, untouched
from hypothesis import strategies as st
from nasty import as_json, texts, values

from opensearch_lsr.training import checkpoint


@pytest.fixture(scope="module")
def folder(checkpoint_folder: Callable[..., Path], place: Path) -> Path:
    return Path(shutil.copytree(checkpoint_folder("siamese"), place / "checkpoint"))


@st.composite
def headers(draw: st.DrawFn, content: bytes) -> bytes:
    """A safetensors file whose header, or its length, was changed."""
    length = int.from_bytes(content[:8], "little")
    header, weights = content[8 : 8 + length], content[8 + length :]
    header = draw(st.one_of(damaged(header), spoiled(json.loads(header)).map(as_json)))
    length = draw(st.sampled_from([len(header)] * 4 + [0, 1, length, 2**31, 2**63, 2**64 - 1]))
    return length.to_bytes(8, "little") + header + weights


def few_layers(config: Any) -> Any:
    """As many as a config asks for are built, before its weights are looked at: thousands take the machine's memory."""
    if isinstance(config, dict) and isinstance(config.get("num_hidden_layers"), int):
        config["num_hidden_layers"] = min(config["num_hidden_layers"], 8)
    return config


def check(folder: Path, file: Path, content: bytes) -> None:
    whole = file.read_bytes()
    file.write_bytes(content)
    try:
        with untouched(folder):
            answer(lambda: checkpoint.load(checkpoint.find(folder)), folder)
    finally:
        file.write_bytes(whole)


@fuzz("safetensors", 0.3, data=st.data())
def test_headers_of_weights(folder: Path, data: st.DataObject) -> None:
    file = next(folder.rglob("*.safetensors"))
    check(folder, file, data.draw(st.one_of(headers(file.read_bytes()), damaged(file.read_bytes()))))


@fuzz("checkpoint: JSON", 0.3, data=st.data())
def test_configs(folder: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(folder.rglob("*.json"))))
    content = file.read_bytes()
    tree = json.loads(content)
    check(folder, file, data.draw(st.one_of(spoiled(tree).map(few_layers).map(as_json), damaged(content))))


@fuzz("weight indices", 0.5, index=values(), shards=st.dictionaries(texts(5), st.one_of(texts(12), values())))
def test_a_weight_index_is_refused_before_anything_is_read(place: Path, index: Any, shards: dict[str, Any]) -> None:
    folder = place / "indexed"
    folder.mkdir(exist_ok=True)
    for content in (index, {"weight_map": shards}):
        (folder / "model.safetensors.index.json").write_bytes(as_json(content))
        answer(lambda: checkpoint.find(folder), folder)
