"""results.json and per_query.jsonl.gz: written whole or not at all, read with one clear line for what is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_results import example

from opensearch_lsr import whole_file
from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.results import empty, entry, load, load_values, save, save_values

VALUES = {"q1": {"nDCG@10": 0.1 + 0.2, "RR@10": 1.0}, "q é": {"nDCG@10": 0.0, "RR@10": 0.0}}


def damaged(folder: Path, change: Any) -> Path:
    """A saved file with something in it replaced."""
    save(folder, example())
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    change(found)
    (folder / "results.json").write_text(json.dumps(found))
    return folder


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    whole = example()
    save(tmp_path / "run", whole)
    assert load(tmp_path / "run") == whole
    assert load(tmp_path / "run" / "results.json") == whole
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["results.json"]


def test_figures_that_json_has_no_word_for(tmp_path: Path) -> None:
    run = {"name": "a", "settings": {"output": tmp_path, "sizes": (1, np.int64(2)), "share": np.float32(0.5)}}
    save(tmp_path, empty(run) | {"slopes": {"bm25": {"low": float("nan"), "high": float("-inf")}}})
    found = load(tmp_path)
    assert found["run"]["settings"] == {"output": str(tmp_path), "sizes": [1, 2], "share": 0.5}
    assert found["slopes"] == {"bm25": {"low": None, "high": None}}


def test_a_run_that_had_only_begun(tmp_path: Path) -> None:
    save(tmp_path, empty({"name": "a"}))
    begun = load(tmp_path)
    assert begun == {"schema": 1, "run": {"name": "a"}, "collections": [], "latency": [], "scale": [], "slopes": {}}
    (tmp_path / "results.json").write_text('{"schema": 1, "run": {"name": "a"}, "scale": null}')
    assert load(tmp_path) == begun


def test_entries_are_found_or_begun() -> None:
    found = empty({"name": "a"})
    scifact = entry(found["collections"], name="scifact")
    scifact["documents"] = 5183
    assert entry(found["collections"], name="scifact") is scifact
    entry(found["latency"], collection="scifact", clients=1)["rounds"] = 5
    entry(found["latency"], collection="scifact", clients=2)
    assert found["collections"] == [{"name": "scifact", "documents": 5183}]
    assert found["latency"] == [
        {"collection": "scifact", "clients": 1, "rounds": 5},
        {"collection": "scifact", "clients": 2},
    ]


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, empty({"name": "before"}))
    save_values(tmp_path, "scifact", "bm25", VALUES)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, example())
    with pytest.raises(OSError, match="No space"):
        save_values(tmp_path, "scifact", "tokens", VALUES)
    assert load(tmp_path)["run"] == {"name": "before"}
    assert list(load_values(tmp_path)) == [("scifact", "bm25")]
    assert {file.name for file in tmp_path.iterdir()} == {"results.json", "per_query.jsonl.gz"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("schema"), r"results.json: schema is missing; the file is damaged, run the benchmark again"),
        (lambda r: r.update(schema="1"), 'schema is "1", not a number'),
        (lambda r: r.update(schema=True), "schema is true, not a number"),
        (lambda r: r.update(schema=2), r"schema 2 is newer than this version reads \(1\); upgrade opensearch-lsr"),
        (lambda r: r.pop("run"), "run is missing"),
        (lambda r: r["run"].update(name=None), r"run\.name is missing"),
        (lambda r: r.update(collections={}), "collections is {}, not a list"),
        (lambda r: r["collections"].insert(1, "scifact"), r'collections\[1\] is "scifact", not an object'),
        (lambda r: r["collections"][0]["systems"][1].pop("name"), r"collections\[0\]\.systems\[1\]\.name is missing"),
        (
            lambda r: r["collections"][0]["systems"][0]["relevance"].update({"RR@10": "high"}),
            r'collections\[0\]\.systems\[0\]\.relevance\.RR@10 is "high", not a number',
        ),
        (lambda r: r["latency"][0].update(collection=3), r"latency\[0\]\.collection is 3, not text"),
        (
            lambda r: r["latency"][2]["systems"][1]["ratio"].update(p95=1.2),
            r"latency\[2\]\.systems\[1\]\.ratio\.p95 is 1.2, not an object",
        ),
        (
            lambda r: r["collections"][0]["systems"][1].update(errors=2),
            r"collections\[0\]\.systems\[1\]\.errors is 2, not an object",
        ),
        (
            lambda r: r["latency"][0]["systems"][0].update(errors="2"),
            r'latency\[0\]\.systems\[0\]\.errors is "2", not a number',
        ),
        (lambda r: r["scale"][0].pop("size"), r"scale\[0\]\.size is missing"),
        (lambda r: r.update(slopes=[]), r"slopes is \[\], not an object"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(damaged(tmp_path, change))
    assert "\n" not in str(caught.value)


def test_what_is_not_there_or_no_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="results.json: cannot be read; give a folder that `benchmark run` wrote"):
        load(tmp_path)
    save(tmp_path, example())
    file = tmp_path / "results.json"
    for content in (file.read_bytes()[:-100], b"\xff\xfe", b"[" * 100_000):
        file.write_bytes(content)
        with pytest.raises(InputError, match="results.json: not JSON"):
            load(tmp_path)
    file.write_text("[]")
    with pytest.raises(InputError, match=r"it is \[\], not an object"):
        load(tmp_path)


def test_values_of_each_query(tmp_path: Path) -> None:
    assert load_values(tmp_path) == {}
    save_values(tmp_path, "scifact", "bm25", {"old": {"nDCG@10": 1.0}})
    save_values(tmp_path, "scifact", "tokens", VALUES)
    save_values(tmp_path, "scifact", "bm25", VALUES)
    assert load_values(tmp_path) == {("scifact", "bm25"): VALUES, ("scifact", "tokens"): VALUES}
    lines = gzip.decompress((tmp_path / "per_query.jsonl.gz").read_bytes()).decode().splitlines()
    assert json.loads(lines[0]) == {"collection": "scifact", "system": "bm25", "query": "q1"} | VALUES["q1"]
    assert len(lines) == 4


def test_values_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    save_values(tmp_path, "scifact", "bm25", VALUES)
    file = tmp_path / "per_query.jsonl.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    with pytest.raises(InputError, match="per_query.jsonl.gz:.*: cannot be read"):
        load_values(tmp_path)
    file.write_bytes(gzip.compress(gzip.decompress(whole) + b'{"collection": "scifact"}\n'))
    with pytest.raises(InputError, match=r"per_query.jsonl.gz:3: cannot be read \(KeyError\)"):
        load_values(tmp_path)
