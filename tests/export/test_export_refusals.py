"""What cannot be exported is refused with one line, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from tiny_checkpoint import Layout, make_checkpoint

from opensearch_lsr.errors import BundleError, CheckpointError, LSRError
from opensearch_lsr.export.export import export


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def sum_pooling(folder: Path) -> None:
    edit(folder / "document_1_SpladePooling" / "config.json", lambda c: c.update(pooling_strategy="sum"))


def unknown_activation(folder: Path) -> None:
    edit(folder / "document_1_SpladePooling" / "config.json", lambda c: c.update(activation_function="softplus"))


def own_code(folder: Path) -> None:
    edit(folder / "router_config.json", lambda c: c["types"].update(query_0_SparseStaticEmbedding="mine.Lookup"))


def prompt(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", lambda c: c.update(prompts={"document": "passage: "}))


def short_static_weights(folder: Path) -> None:
    path = folder / "query_0_SparseStaticEmbedding" / "model.safetensors"
    save_file({"weight": load_file(path)["weight"][:-1].clone()}, path)


def other_query_tokenizer(folder: Path) -> None:
    def swap(tokenizer: Any) -> None:
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary["dog"], vocabulary["cat"] = vocabulary["cat"], vocabulary["dog"]

    edit(folder / "query_0_SparseStaticEmbedding" / "tokenizer.json", swap)


def negative_weight(folder: Path) -> None:
    path = folder / "query_0_SparseStaticEmbedding" / "model.safetensors"
    weight = load_file(path)["weight"].clone()
    weight[50] = -1
    save_file({"weight": weight}, path)


def partial_table(folder: Path) -> None:
    edit(folder / "idf.json", lambda table: table.pop("dog"))


def no_table(folder: Path) -> None:
    (folder / "idf.json").unlink()


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def damaged_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no safetensors")


def pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_head(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "predictions.transform" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def one_token_more(folder: Path) -> None:
    edit(folder / "tokenizer.json", lambda t: t["model"]["vocab"].update(extra=len(t["model"]["vocab"])))
    edit(folder / "idf.json", lambda table: table.update(extra=1.0))


@pytest.mark.parametrize(
    ("layout", "damage", "error", "message"),
    [
        ("router", sum_pooling, CheckpointError, "pools by sum; only max pooling can be exported"),
        ("router", unknown_activation, CheckpointError, "activation_function must be either"),
        ("router", own_code, CheckpointError, "needs code of its own"),
        ("router", prompt, CheckpointError, "has a document prompt"),
        ("router", short_static_weights, CheckpointError, "cannot be opened"),
        ("router", other_query_tokenizer, CheckpointError, "query and document tokenizers differ"),
        ("router", negative_weight, BundleError, "weighs -1.0; weights are numbers from 0 to 64"),
        ("mlm", partial_table, BundleError, "1 of 311 vocabulary tokens have no weight"),
        ("mlm", no_table, CheckpointError, "idf.json is missing"),
        ("mlm", no_config, CheckpointError, "no checkpoint"),
        ("mlm", no_weights, CheckpointError, "cannot be opened"),
        ("mlm", damaged_weights, CheckpointError, "cannot be opened"),
        ("mlm", pickled_weights, CheckpointError, "pickled weights, which are not opened"),
        ("mlm", no_head, CheckpointError, "lacks cls.predictions.transform"),
        ("mlm", one_token_more, CheckpointError, "the tokenizer has 312 tokens, the model 311"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_damaged_checkpoints(
    layout: Layout, damage: Callable[[Path], None], error: type[LSRError], message: str, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint", layout)
    damage(folder)
    with pytest.raises(error, match=message) as raised:
        export(folder, tmp_path / "bundle")
    assert "\n" not in str(raised.value) and str(folder) in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int2"}, "quantize 'int2'; it is one of none, fp16, int8"),
        ({"activation": "relu"}, "was trained with activation log1p_relu, not relu"),
        ({"name": "My Model"}, "name 'My Model': lower-case letters, digits and '-'"),
        ({"max_length": 4096}, "max length 4096; this model takes 8 to 128 tokens"),
    ],
)
def test_options(options: dict[str, Any], message: str, checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        export(checkpoint_folder(), tmp_path / "bundle", **options)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder; give a checkpoint's folder or its Hub name"):
        export(tmp_path / "nothing", tmp_path / "bundle")


def test_the_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    def offline(*_: object, **__: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(CheckpointError, match=r"owner/name: .* the Hub did not give it \(ConnectionError\)"):
        export("owner/name", tmp_path / "bundle")
