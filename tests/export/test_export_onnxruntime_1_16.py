"""The graphs run on onnxruntime 1.16.3, the one inside ML Commons, with the same result."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from opensearch_lsr.bundle import Bundle

RUN = """
import sys
import numpy
import onnxruntime
assert onnxruntime.__version__ == "1.16.3"
inputs = dict(numpy.load(sys.argv[2]))
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
(vectors,) = session.run(None, {"input1.input_ids": inputs["ids"], "input1.attention_mask": inputs["mask"]})
numpy.save(sys.argv[3], vectors)
"""


@pytest.fixture(scope="session")
def old_python() -> Path:
    """Python of a venv with onnxruntime 1.16.3, made once and kept in the cache folder."""
    home = Path(os.environ.get("OPENSEARCH_LSR_HOME") or Path.home() / ".cache" / "opensearch-lsr")
    venv = home / "ort-1.16.3"
    if not (venv / "bin" / "python").exists():
        python = sys.executable if sys.version_info < (3, 12) else shutil.which("python3.11")
        if python is None:
            pytest.skip("onnxruntime 1.16.3 needs Python 3.11 or older, and there is no python3.11")
        home.mkdir(parents=True, exist_ok=True)
        _make_venv(python, venv)
    return venv / "bin" / "python"


def _make_venv(python: str, venv: Path) -> None:
    # Built beside its place and renamed, so that a venv that exists is whole. A moved venv's python still works; its
    # scripts would not, and are not used.
    staging = Path(tempfile.mkdtemp(prefix=f".{venv.name}-", dir=venv.parent))
    try:
        subprocess.run([python, "-m", "venv", str(staging)], check=True, capture_output=True)
        install = [str(staging / "bin" / "python"), "-m", "pip", "install", "-q", "onnxruntime==1.16.3", "numpy<2"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"onnxruntime 1.16.3 cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
        staging.rename(venv)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@pytest.mark.parametrize("which", ["none", "fp16", "int8", "int8-dynamic", "int4", "top-k", "vocabulary", "default"])
def test_same_vectors(which: str, old_python: Path, exported: Callable[..., Bundle], tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("water\nsnow\ntap\n", encoding="utf-8")
    special = {
        "top-k": {"quantize": "int8", "top_k": 5},
        "vocabulary": {"quantize": "int8", "vocabulary": tmp_path / "words.txt"},
    }
    bundle = Bundle.open(which) if which == "default" else exported(**special.get(which, {"quantize": which}))
    rng = np.random.default_rng(0)
    ids = rng.integers(5, bundle.config.vocab_size, (3, 17))
    mask = np.ones_like(ids)
    mask[1, 5:] = 0
    mask[2, :] = 0
    np.savez(tmp_path / "inputs.npz", ids=ids, mask=mask)
    command = [str(old_python), "-c", RUN, str(bundle.onnx), str(tmp_path / "inputs.npz"), str(tmp_path / "old.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(str(bundle.onnx), providers=["CPUExecutionProvider"])
    (new,) = session.run(None, {"input1.input_ids": ids, "input1.attention_mask": mask})
    old = np.load(tmp_path / "old.npy")
    assert new.any() and not new[2].any()
    # activations near the middle between two integers may be rounded either way
    np.testing.assert_allclose(old, new, atol=0.02 if bundle.config.quantization == "int8-dynamic" else 1e-4)
