"""Opening bundles: what is missing, partial or damaged is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from opensearch_lsr.bundle import Bundle, open_tokenizer, resolve
from opensearch_lsr.errors import BundleError


@pytest.fixture
def copy(tiny: Bundle, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny.path, folder)
    return folder


def test_the_default_bundle_is_whole_and_small() -> None:
    bundle = Bundle.open("default")
    bundle.verify()
    size = sum(file.stat().st_size for file in bundle.path.rglob("*") if file.is_file())
    assert size <= 30_000_000
    assert bundle.config.query == "table"
    assert bundle.config.word_form


@pytest.mark.parametrize("name", ["onnx/model.onnx", "tokenizer.json", "idf.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Bundle.open(copy)


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a bundle"):
        Bundle.open(tmp_path)
    with pytest.raises(BundleError, match="no such folder"):
        resolve(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema_version 99"),
        ({"query": "magic"}, "query is 'magic'"),
        ({"colour": 1}, "damaged"),
    ],
)
def test_an_odd_config_is_refused(copy: Path, change: dict[str, object], message: str) -> None:
    config = json.loads((copy / "lsr.json").read_text())
    (copy / "lsr.json").write_text(json.dumps(config | change))
    with pytest.raises(BundleError, match=message):
        Bundle.open(copy)


def test_a_partial_table_is_refused(copy: Path) -> None:
    table = json.loads((copy / "idf.json").read_text())
    table.pop("water")
    (copy / "idf.json").write_text(json.dumps(table))
    with pytest.raises(BundleError, match="have no weight .first: 'water'."):
        _ = Bundle.open(copy).weights


@pytest.mark.parametrize("name", ["onnx/model.onnx", "tokenizer.json", "idf.json"])
def test_a_changed_file_does_not_verify(copy: Path, name: str) -> None:
    Bundle.open(copy).verify()
    if name == "idf.json":
        table = json.loads((copy / name).read_text())
        (copy / name).write_text(json.dumps(table | {"water": 9.0}))
    else:
        with (copy / name).open("ab") as file:
            file.write(b" ")
    with pytest.raises(BundleError, match="not what was exported"):
        Bundle.open(copy).verify()


def test_a_truncated_tokenizer_is_named(copy: Path) -> None:
    text = (copy / "tokenizer.json").read_text()
    (copy / "tokenizer.json").write_text(text[: len(text) // 2])
    with pytest.raises(BundleError, match="tokenizer.json: not a tokenizer"):
        _ = Bundle.open(copy).tokenizer


def test_a_hub_name_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def refuse(*args: object, **options: object) -> str:
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    for find in (resolve, open_tokenizer):
        with pytest.raises(BundleError, match="nobody/nothing: no such folder, and the Hub did not give it"):
            find("nobody/nothing")


def test_a_tokenizer_by_its_source(tiny: Bundle, checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    """Of a folder, a file, and a checkpoint that has it in a module's folder; it cuts nothing, as a bundle's does."""
    assert tiny.tokenizer.truncation is not None
    sources = [tiny.path, tiny.path / "tokenizer.json", checkpoint_folder("router")]
    for tokenizer in map(open_tokenizer, map(str, sources)):
        assert len(tokenizer.encode("dog " * 500, add_special_tokens=False).ids) == 500
        assert tokenizer.get_vocab() == tiny.tokenizer.get_vocab()
    assert open_tokenizer("default").get_vocab_size() == 30_522
    for source in ("nowhere", "./no/where", str(tmp_path)):
        with pytest.raises(BundleError, match="not found"):
            open_tokenizer(source)
