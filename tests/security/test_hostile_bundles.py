"""A bundle that a stranger made is refused in one line, and nothing outside its folder is read or written."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opensearch_lsr.bundle import Bundle, open_tokenizer
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import BundleError, NodeError
from opensearch_lsr.local import distribution
from opensearch_lsr.onnx_file import external_files
from opensearch_lsr.query_encoder import QueryEncoder

SECRET = "not for strangers"


@pytest.fixture
def bundle(tiny: Bundle, tmp_path: Path) -> Path:
    """A good bundle's copy, beside a file that is none of its business."""
    shutil.copytree(tiny.path, tmp_path / "bundle")
    (tmp_path / "outside.json").write_text(json.dumps({SECRET: 1}))
    return tmp_path / "bundle"


def refused(bundle: Path) -> str:
    """What every way to use the bundle says of it: one line, which names its folder and no content of other files."""
    with pytest.raises(BundleError) as refusal:
        opened = Bundle.open(bundle)
        QueryEncoder.from_pretrained(str(bundle))
        DocumentEncoder(opened)
    message = str(refusal.value)
    assert "\n" not in message and len(message) < 1000
    assert str(bundle) in message
    assert SECRET not in message
    return message


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/cron.d/x"},
        {"name": "a b"},
        {"document_fingerprint": "../../_cluster/settings?x="},
        {"query_fingerprint": "_search"},
        {"vocab_size": 10**12},
        {"vocab_size": "many"},
        {"max_length": -1},
        {"version": {"nested": "object"}},
        {"onnx": "../outside.json"},
    ],
    ids=lambda change: f"{next(iter(change))}={str(next(iter(change.values())))[:20]}",
)
def test_a_config_that_no_export_wrote(bundle: Path, change: dict[str, Any]) -> None:
    config = json.loads((bundle / "lsr.json").read_text())
    (bundle / "lsr.json").write_text(json.dumps(config | change))
    assert "lsr.json: damaged" in refused(bundle)


def test_fewer_tokens_than_the_tokenizer_has(bundle: Path) -> None:
    config = json.loads((bundle / "lsr.json").read_text())
    (bundle / "lsr.json").write_text(json.dumps(config | {"vocab_size": 7}))
    assert "tokenizer.json has more tokens than lsr.json says" in refused(bundle)


@pytest.mark.parametrize("name", ["lsr.json", "onnx/model.onnx", "tokenizer.json", "idf.json"])
def test_a_link_to_a_file_outside(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    (bundle / name).symlink_to(bundle.parent / "outside.json")
    assert "leads out of" in refused(bundle)


def test_a_link_to_a_folder_outside(bundle: Path) -> None:
    (bundle / "onnx").rename(bundle.parent / "onnx")
    (bundle / "onnx").symlink_to("../onnx")
    assert "leads out of" in refused(bundle)
    (bundle / "tokenizer.json").rename(bundle.parent / "onnx" / "tokenizer.json")
    with pytest.raises(BundleError, match="leads out of"):
        open_tokenizer(str(bundle))


def test_the_hubs_own_cache_has_links_and_is_opened(bundle: Path) -> None:
    """``models--owner--name/snapshots/REVISION/FILE`` is a link to ``models--owner--name/blobs/HASH`` there."""
    snapshot, blobs = bundle.parent / "models--a--b" / "snapshots" / "main", bundle.parent / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    for file in [path for path in bundle.rglob("*") if path.is_file()]:
        link = snapshot / file.relative_to(bundle)
        link.parent.mkdir(parents=True, exist_ok=True)
        file.rename(blobs / file.name)
        link.symlink_to(os.path.relpath(blobs / file.name, link.parent))
    Bundle.open(snapshot).verify()
    (snapshot / "idf.json").unlink()
    (snapshot / "idf.json").symlink_to(bundle.parent / "outside.json")
    assert "leads out of" in refused(snapshot)


@pytest.mark.parametrize(("name", "megabytes"), [("lsr.json", 1), ("tokenizer.json", 100), ("idf.json", 50)])
def test_a_huge_file_is_not_read(bundle: Path, name: str, megabytes: int) -> None:
    with (bundle / name).open("wb") as file:
        file.truncate((megabytes + 1) * 1_000_000)  # a hole: it takes no disk
    assert f"at most {megabytes} are read" in refused(bundle)


@pytest.mark.parametrize("name", ["lsr.json", "tokenizer.json", "idf.json"])
def test_json_that_is_nested_without_end(bundle: Path, name: str) -> None:
    (bundle / name).write_text("[" * 100_000)
    refused(bundle)


@pytest.mark.parametrize("model", [{"vocab": "OUTSIDE", "merges": "OUTSIDE"}, {"vocab_file": "OUTSIDE"}, "OUTSIDE"])
def test_a_tokenizer_that_points_to_a_file(bundle: Path, model: Any) -> None:
    tokenizer = json.loads((bundle / "tokenizer.json").read_text())
    tokenizer["model"] = {"type": "BPE", **model} if isinstance(model, dict) else model
    outside = str(bundle.parent / "outside.json")
    (bundle / "tokenizer.json").write_text(json.dumps(tokenizer).replace("OUTSIDE", outside))
    assert "not a tokenizer" in refused(bundle)


def with_external_data(bundle: Path, location: str, where: str) -> None:
    """Let the graph's first weights, or those in a graph inside it, lie in another file."""
    import onnx

    model = onnx.load(bundle / "onnx" / "model.onnx")
    tensor = onnx.TensorProto(name="stolen", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    if where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "attribute":
        model.graph.node.append(onnx.helper.make_node("Constant", [], ["stolen"], value=tensor))
    else:
        inner = onnx.helper.make_graph([], "inner", [], [], [tensor])
        model.graph.node.append(onnx.helper.make_node("If", ["x"], ["stolen"], then_branch=inner, else_branch=inner))
    (bundle / "onnx" / "model.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph"])
@pytest.mark.parametrize("location", ["../../weights", "/ABSOLUTE/weights", "weights", "./model.onnx.data", ""])
def test_weights_in_another_file_are_not_read(bundle: Path, location: str, where: str) -> None:
    (bundle.parent / "weights").write_bytes(np.ones(4, np.float32).tobytes())
    (bundle / "onnx" / "weights").write_bytes(np.ones(4, np.float32).tobytes())
    assert not external_files(bundle / "onnx" / "model.onnx")
    with_external_data(bundle, location.replace("/ABSOLUTE", str(bundle.parent)), where)
    assert external_files(bundle / "onnx" / "model.onnx")
    assert "has weights in other files, which are not read" in refused(bundle)


def test_an_operator_of_the_strangers_own(bundle: Path) -> None:
    import onnx

    model = onnx.load(bundle / "onnx" / "model.onnx")
    model.graph.node.append(onnx.helper.make_node("RunShell", [], ["shell"], domain="com.stranger"))
    model.opset_import.append(onnx.helper.make_opsetid("com.stranger", 1))
    (bundle / "onnx" / "model.onnx").write_bytes(model.SerializeToString())
    assert "onnxruntime cannot load it" in refused(bundle)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00.", b"PK\x03\x04", os.urandom(4096), b"\x3a" * 100_000])
def test_a_graph_that_is_none(bundle: Path, content: bytes) -> None:
    (bundle / "onnx" / "model.onnx").write_bytes(content)
    refused(bundle)


def test_nothing_of_a_bundle_is_imported_or_unpickled(
    bundle: Path, booby_trap: Callable[..., Callable[[], bool]]
) -> None:
    """Whatever else lies in the folder is not touched."""
    sprung = booby_trap(bundle)
    opened = Bundle.open(bundle)
    opened.verify()
    assert QueryEncoder.from_pretrained(str(bundle)).encode("water")
    assert DocumentEncoder(opened).encode(["water"])
    assert not sprung()
    pickle.loads((bundle / "model.pt").read_bytes()).close()
    assert sprung()  # it would have been


@pytest.mark.parametrize("name", ["server/../../outside.json", "server//ABSOLUTE/outside.json", "server/a/../../../x"])
def test_a_server_archive_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    """It is pinned by its checksum; were it another, this would hold still."""
    home = tmp_path / "home"
    home.mkdir()
    with zipfile.ZipFile(tmp_path / "server.zip", "w") as archive:
        archive.writestr("server/lib/a.jar", b"fine")
        archive.writestr(name.replace("/ABSOLUTE", str(tmp_path)), b"not fine")
    with pytest.raises(NodeError, match="leads out of"):
        distribution._unzip_server(tmp_path / "server.zip", home / "server")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.jar", "server.zip"]
