"""The bundle's model card: what it is, how to use it, and how close it is to its checkpoint."""

from __future__ import annotations

import re
from pathlib import Path

from opensearch_lsr.bundle_config import Config
from opensearch_lsr.export.checkpoint import Checkpoint

_CARD = """\
---
{licence}tags:
- opensearch-lsr
- learned-sparse
- onnx
pipeline_tag: feature-extraction
---

# {name}

A document encoder for learned sparse retrieval in OpenSearch: it gives a text one weight for each of its
{vocab_size:,} tokens. {query}

| | |
|---|---|
| version | {version} |
| made from | `{origin}` |
{backbone}| licence | {licence_line} |
| pooling, activation | max over tokens, {activation} |
{vocabulary}{top_k}| longest document | {max_length} tokens, the rest is cut |
| weights | {weights}, {megabytes:.1f} MB in all |
| ONNX | opset {opset}, inputs `input1.input_ids` and `input1.attention_mask`, one output [batch, {vocab_size:,}] |

## Use

```
opensearch-lsr deploy {folder} --alias docs --field text
opensearch-lsr search "your query" --alias docs
```

```python
from opensearch_lsr import DocumentEncoder

vectors = DocumentEncoder.from_pretrained("{folder}").encode(["some text"])
```

## Parity

Measured when it was exported, on {texts} texts (`lsr.json` has all figures):

| | |
|---|---|
{parity}
"""
_LABELS = {
    "active_dims": "active dimensions a text (float32)",
    "active_dims_kept": "active dimensions a text that are kept",
    "max_difference_torch": "largest difference, float32 ONNX and torch",
    "max_difference_sentence_transformers": "largest difference, float32 ONNX and sentence-transformers",
    "max_difference_batch": "largest difference, alone and in a batch",
    "max_difference_float32": "largest difference, {weights} and float32",
    "min_cosine_float32": "smallest cosine, {weights} and float32",
    "mean_cosine_float32": "mean cosine, {weights} and float32",
}


def write(path: Path, config: Config, checkpoint: Checkpoint, size: int) -> None:
    """Write the card of a bundle whose files take ``size`` bytes."""
    licence, backbone = _licence(checkpoint.path), _backbone(checkpoint.path)
    text = _CARD.format(
        licence=f"license: {licence}\n" if licence else "",
        licence_line=licence or "not stated by the checkpoint; ask its author before you pass it on",
        name=config.name,
        version=config.version,
        folder=config.name,
        origin=checkpoint.path.name,
        backbone=f"| backbone | {backbone} |\n" if backbone else "",
        vocab_size=config.vocab_size,
        vocabulary=f"| vocabulary | {config.kept_tokens:,} tokens have weights |\n" if config.kept_tokens else "",
        top_k=f"| kept of a document | the {config.top_k:,} tokens that can add most to a score |\n"
        if config.top_k
        else "",
        query=_query(config),
        activation=_formula(config.activation),
        max_length=config.max_length,
        weights={
            "none": "float32",
            "fp16": "float16; arithmetic in float32",
            "int8": "int8, one scale a row; arithmetic in float32",
            "int8-dynamic": "int8, arithmetic in int8",
            "int4": "4 bits, one scale for 32; arithmetic in float32",
        }[config.quantization],
        megabytes=size / 1e6,
        opset=config.opset,
        texts=config.parity["texts"],
        parity=parity_rows(config),
    )
    path.write_text(text, encoding="utf-8")


def parity_rows(config: Config) -> str:
    """The parity figures as rows of a Markdown table."""
    return "\n".join(f"| {label} | {value} |" for label, value in parity_figures(config))


def parity_figures(config: Config) -> list[tuple[str, str]]:
    """``(label, figure)`` of what was compared at this export."""
    known = ((label.format(weights=config.quantization), config.parity.get(key)) for key, label in _LABELS.items())
    return [(label, f"{value:.3g}" if value < 0.1 else f"{value:.4g}") for label, value in known if value is not None]


def _query(config: Config) -> str:
    if config.query == "table":
        return "Queries need no inference: each token has a fixed weight (`idf.json`)."
    return "Queries go through the same encoder (Siamese): there is no token table."


def _formula(activation: str) -> str:
    logs = activation.count("log1p_") + 1
    return "log(1 + " * logs + "relu(x)" + ")" * logs


def _licence(folder: Path) -> str | None:
    """``license:`` of the checkpoint's own card, if it has one."""
    front = re.match(r"---\n(.*?)\n---", _own_card(folder), re.DOTALL)
    found = re.search(r"^license:\s*([\w.+-]+)\s*$", front.group(1), re.MULTILINE) if front else None
    return found.group(1) if found else None


def _backbone(folder: Path) -> str | None:
    """``Backbone:`` of the card that ``opensearch-lsr train`` wrote."""
    found = re.search(r"^Backbone: (.+)$", _own_card(folder), re.MULTILINE)
    return found.group(1) if found else None


def _own_card(folder: Path) -> str:
    card = folder / "README.md"
    return card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
