"""A checkpoint that a stranger made runs no code of theirs, unpickles nothing, and reads no file outside its folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from opensearch_lsr.errors import CheckpointError
from opensearch_lsr.export.export import export

Trap = Callable[..., Callable[[], bool]]
Copy = Callable[[str], Path]


@pytest.fixture
def copy(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> Copy:
    """``copy(layout)``: a checkpoint to spoil."""

    def make(layout: str) -> Path:
        return Path(shutil.copytree(checkpoint_folder(layout), tmp_path / "checkpoint"))

    return make


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refused(folder: Path) -> str:
    """One line, which names the folder; no bundle is left."""
    with pytest.raises(CheckpointError) as refusal:
        export(folder, folder.parent / "bundle")
    message = str(refusal.value)
    assert "\n" not in message and str(folder) in message
    assert not (folder.parent / "bundle").exists()
    return message


@pytest.mark.parametrize("layout", ["router", "mlm"])
def test_pickles_and_code_beside_the_weights_are_not_touched(copy: Copy, booby_trap: Trap, layout: str) -> None:
    folder = copy(layout)
    sprung = [booby_trap(part) for part in (folder, *filter(Path.is_dir, folder.iterdir()))]
    export(folder, folder.parent / "bundle", activation="log1p_relu" if layout == "mlm" else None)
    assert not any(trap() for trap in sprung)


@pytest.mark.parametrize("layout", ["router", "mlm"])
def test_pickles_instead_of_weights_are_refused(copy: Copy, booby_trap: Trap, layout: str) -> None:
    folder = copy(layout)
    for weights in list(folder.rglob("*.safetensors")):
        weights.unlink()
        sprung = booby_trap(weights.parent, weights=True)
        assert "pickled weights, which are not opened" in refused(folder)
        assert not sprung()


def test_the_models_own_code_is_not_run(copy: Copy, booby_trap: Trap) -> None:
    """A known architecture is opened with transformers' code; one that only the folder's code knows is refused."""
    folder = copy("mlm")
    sprung = booby_trap(folder)
    theirs = {"AutoConfig": "trap.Config", "AutoModelForMaskedLM": "trap.Model", "AutoTokenizer": ["trap.T", "trap.T"]}
    edit(folder / "config.json", auto_map=theirs)
    edit(folder / "tokenizer_config.json", auto_map=theirs)
    export(folder, folder.parent / "bundle")
    shutil.rmtree(folder.parent / "bundle")
    edit(folder / "config.json", model_type="trap")
    assert "needs code of its own (trust_remote_code), which is not run here" in refused(folder)
    assert not sprung()


@pytest.mark.parametrize("kind", ["trap.Module", "os.system", "subprocess.Popen"])
def test_a_module_of_the_strangers_own_is_not_imported(copy: Copy, booby_trap: Trap, kind: str) -> None:
    folder = copy("router")
    sprung = booby_trap(folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = kind
    (folder / "modules.json").write_text(json.dumps(modules))
    assert "needs code of its own" in refused(folder)
    assert not sprung()


@pytest.mark.parametrize("path", ["../outside", "/ABSOLUTE"])
def test_a_module_in_another_folder(copy: Copy, path: str) -> None:
    folder = copy("siamese")
    modules = json.loads((folder / "modules.json").read_text())
    outside = folder.parent / "outside"
    shutil.copytree(folder / modules[0]["path"], outside)
    modules[0]["path"] = path.replace("/ABSOLUTE", str(outside))
    (folder / "modules.json").write_text(json.dumps(modules))
    assert "cannot be opened" in refused(folder)


def test_a_router_with_a_part_in_another_folder(copy: Copy) -> None:
    folder = copy("router")
    file = folder / "router_config.json"
    (folder / "query_0_SparseStaticEmbedding").rename(folder.parent / "outside")
    file.write_text(file.read_text().replace("query_0_SparseStaticEmbedding", "../outside"))
    assert "cannot be opened" in refused(folder)


def test_a_weight_index_with_a_file_outside(copy: Copy) -> None:
    folder = copy("mlm")
    outside = folder.parent / "weights.safetensors"
    (folder / "model.safetensors").rename(outside)
    with safe_open(outside, "pt") as weights:
        shards = dict.fromkeys(weights.keys(), "../weights.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    assert "leads out of" in refused(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "idf.json", "config.json"])
def test_a_link_to_a_file_outside(copy: Copy, name: str) -> None:
    folder = copy("mlm")
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    assert "leads out of" in refused(folder)


def test_a_tokenizer_config_that_names_a_file_outside_is_not_followed(copy: Copy) -> None:
    folder = copy("mlm")
    whole = export(folder, folder.parent / "whole")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["dog"], vocabulary["cat"] = vocabulary["cat"], vocabulary["dog"]
    outside = folder.parent / "outside.json"
    outside.write_text(json.dumps(tokenizer))
    edit(folder / "tokenizer_config.json", tokenizer_file=str(outside), vocab_file=str(outside))
    bundle = export(folder, folder.parent / "bundle")
    assert bundle.config.query_fingerprint == whole.config.query_fingerprint
