"""Weights beyond what one ONNX file holds lie in one other, under one name, and count in the fingerprint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from opensearch_lsr import bundle as bundles
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import BundleError, CheckpointError, InputError
from opensearch_lsr.export import head, onnx_writer
from opensearch_lsr.export.export import export
from opensearch_lsr.onnx_file import external_files

TEXT = "the tap in the kitchen leaks"


@pytest.fixture(scope="module")
def large(checkpoint_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_writer, "LARGEST", 50_000)
        patch.setattr(head, "BLOCK", 2)  # as many blocks as a large vocabulary has, whose lengths stay in the graph
        return export(checkpoint_folder(), tmp_path_factory.mktemp("large") / "bundle")


@pytest.fixture
def copy(large: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(large.path, tmp_path / "copy"))


def test_two_files_encode_as_one_does(large: Bundle, exported: Callable[..., Bundle]) -> None:
    assert [path.name for path in sorted(large.onnx.parent.iterdir())] == ["model.onnx", "model.onnx.data"]
    assert large.onnx_data and large.onnx_data.stat().st_size > 100_000
    assert external_files(large.onnx) == {"model.onnx.data"}
    whole = exported()
    assert whole.onnx_data is None and external_files(whole.onnx) == set()
    (got,), (expected,) = (DocumentEncoder(one).encode([TEXT]) for one in (large, whole))
    assert got == pytest.approx(expected, abs=1e-5)
    large.verify()


def test_four_bits_fit_one_file_again(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_writer, "LARGEST", 110_000)
        bundle = export(checkpoint_folder(), tmp_path / "bundle", quantize="int4")
        assert [path.name for path in bundle.onnx.parent.iterdir()] == ["model.onnx"]
        with pytest.raises(CheckpointError, match="too many for int8-dynamic; take int8 or int4"):
            export(checkpoint_folder(), tmp_path / "dynamic", quantize="int8-dynamic")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_the_fingerprint_covers_the_data(copy: Path) -> None:
    data = copy / "onnx" / "model.onnx.data"
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    with pytest.raises(BundleError, match=r"its data or tokenizer.json is not what was exported"):
        Bundle.open(copy).verify()


@pytest.mark.parametrize("keep", [0, 100])
def test_data_that_is_missing_or_cut(copy: Path, keep: int) -> None:
    data = copy / "onnx" / "model.onnx.data"
    content = data.read_bytes()
    data.unlink()
    if keep:
        data.write_bytes(content[:keep])
    with pytest.raises(BundleError, match="onnxruntime cannot load it") as refusal:
        DocumentEncoder(Bundle.open(copy))
    assert "\n" not in str(refusal.value)


def test_data_that_is_a_link_out_of_the_folder(copy: Path) -> None:
    data = copy / "onnx" / "model.onnx.data"
    data.rename(copy.parent / "elsewhere")
    data.symlink_to(copy.parent / "elsewhere")
    with pytest.raises(BundleError, match="leads out of"):
        Bundle.open(copy)


def test_the_hubs_cache(copy: Path) -> None:
    """Its snapshots are links to blobs."""
    assert bundles.ONNX_DATA in bundles._HUB_FILES
    root = copy.parent / "models--me--encoder"
    snapshot, blobs = root / "snapshots" / "abc", root / "blobs"
    blobs.mkdir(parents=True)
    for number, file in enumerate(sorted(path for path in copy.rglob("*") if path.is_file())):
        place = snapshot / file.relative_to(copy)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(blobs / str(number))
        place.symlink_to(blobs / str(number))
    bundle = Bundle.open(snapshot)
    bundle.verify()
    assert DocumentEncoder(bundle).encode([TEXT])[0]


def test_it_is_not_for_the_cluster(large: Bundle) -> None:
    with pytest.raises(InputError, match="has its weights in two files, and ML Commons takes one") as refusal:
        Deployment(large, "docs", ("text",))
    assert "\n" not in str(refusal.value)
    assert Deployment(large, "docs", ("text",), encode="client").index
