"""Another encoder to migrate to, for those who have one: the same that reads half as many tokens."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from opensearch_lsr.bundle import CONFIG, TOKENIZER, Bundle, document_fingerprint, query_fingerprint


def reading_half_as_far(bundle: Bundle, folder: Path) -> Bundle:
    """Write it to a folder. Its fingerprints differ, so every document must be encoded anew."""
    shutil.copytree(bundle.path, folder)
    length = bundle.config.max_length // 2
    tokenizer = bundle.tokenizer
    tokenizer.enable_truncation(length)
    text = tokenizer.to_str()
    (folder / TOKENIZER).write_text(text, encoding="utf-8")
    config = replace(
        bundle.config,
        max_length=length,
        document_fingerprint=document_fingerprint(bundle.onnx, text),
        query_fingerprint=query_fingerprint(text, bundle.weights),
    )
    (folder / CONFIG).write_text(json.dumps(asdict(config), indent=2), encoding="utf-8")
    other = Bundle.open(folder)
    other.verify()
    return other
