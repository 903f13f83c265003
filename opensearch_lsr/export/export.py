"""Checkpoint → bundle, in one step that leaves either a whole bundle or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from opensearch_lsr import token_weights
from opensearch_lsr.bundle import (
    CARD,
    CONFIG,
    ONNX,
    TABLE,
    TOKENIZER,
    Bundle,
    document_fingerprint,
    query_fingerprint,
)
from opensearch_lsr.bundle_config import Config
from opensearch_lsr.errors import CheckpointError
from opensearch_lsr.export import assembly, card, graph, onnx_writer, parity, top_k
from opensearch_lsr.export.checkpoint import Checkpoint
from opensearch_lsr.given_path import given_path
from opensearch_lsr.tokenizer_file import special_tokens

QUANTIZATIONS = tuple(assembly.PRECISIONS)


def export(
    checkpoint: str | Path,
    output: str | Path,
    *,
    quantize: str = "none",
    name: str | None = None,
    version: str = "1.0.0",
    activation: str | None = None,
    max_length: int | None = None,
    vocabulary: str | Path | None = None,
    top_k: int | None = None,
    overwrite: bool = False,
    on_step: Callable[[str], object] = lambda step: None,
) -> Bundle:
    """Export a checkpoint and check the result against it.

    Args:
        checkpoint: folder or Hub name (``owner/name``).
        output: the bundle's folder, made or (empty, or with ``overwrite`` a bundle) replaced.
        quantize: ``none`` (float32), ``fp16``, ``int8`` or ``int4`` (weights only), or ``int8-dynamic`` (arithmetic,
            too: faster on CPUs).
        name: what the bundle is called where it is deployed; by default the checkpoint's folder name.
        version: of the encoder, for people.
        activation: for a masked LM + ``idf.json`` folder, which does not say it; default ``relu``.
        max_length: cut documents to fewer tokens than the checkpoint does.
        vocabulary: a file of tokens, words or texts, one a line; other tokens than theirs weigh nothing, in documents
            and in queries.
        top_k: how many tokens a document keeps, those that can add most to a score; default all.
        overwrite: replace a bundle that is already there.
        on_step: called with a line about each step.

    Returns:
        The bundle, opened.

    Raises:
        CheckpointError: when the checkpoint cannot be exported, or the output may not be written.
        ParityError: when the graph does not give the checkpoint's vectors, or they depend on the batch.
        BundleError: when the checkpoint's token table is partial or damaged.
    """
    if quantize not in QUANTIZATIONS:
        raise CheckpointError(f"quantize {quantize!r}; it is one of {', '.join(QUANTIZATIONS)}")
    target = given_path(output).absolute()
    _check_output(target, overwrite)
    name = _name(checkpoint, name)
    on_step(f"opening {checkpoint}")
    opened = Checkpoint.open(checkpoint, activation, max_length, given_path(vocabulary) if vocabulary else None)
    if top_k is not None and not 1 <= top_k <= opened.vocab_size:
        raise CheckpointError(f"top_k {top_k}: a document keeps at least 1 token, at most all {opened.vocab_size:,}")
    staging = target.with_name(f".{target.name}.{os.getpid()}.part")
    staging.mkdir(parents=True)
    try:
        figures = _write_graph(opened, staging, quantize, top_k, on_step)
        config = _write_rest(opened, staging, name, version, quantize, top_k, figures)
        card.write(staging / CARD, config, opened, size_of(staging))
        _replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Bundle.open(target)


def word_form(tokenizer: Tokenizer) -> bool:
    """Whether words can stand for ids, as ML Commons' WORD output needs.

    It decodes each id by itself and uses the string as the feature's name, so every id that is not special must decode
    to its own token; two ids with one string would overwrite each other (byte-level vocabularies do that).
    """
    specials = set(special_tokens(tokenizer))
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    return all(tokenizer.decode([index]) == token for token, index in vocabulary.items() if token not in specials)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _write_graph(
    checkpoint: Checkpoint, folder: Path, quantize: str, k: int | None, on_step: Callable[[str], object]
) -> dict[str, Any]:
    path = folder / ONNX
    path.parent.mkdir()
    module = graph.build(checkpoint)
    texts = parity.sample_texts(sum(part.numel() for part in module.parameters()))
    on_step(f"writing ONNX opset {graph.OPSET}")
    onnx_writer.write(assembly.float32(graph.body(module), module), path)
    on_step(f"comparing {len(texts)} texts with the checkpoint")
    figures = parity.against_origin(path, module, checkpoint, texts)
    if quantize != "none":
        on_step(f"quantising to {quantize}")
        float32 = parity.Vectors(path, checkpoint)(texts, batch=1)
        # From the beginning, as an assembled graph cannot be copied where it is large.
        onnx_writer.write(assembly.PRECISIONS[quantize](graph.body(module), module), path)
        figures |= parity.against_float32(path, float32, checkpoint, texts, quantize)
    if quantize != "int8-dynamic":  # its documents are encoded one by one
        on_step("comparing alone, batched and padded")
        figures |= parity.batch_invariance(path, checkpoint, texts, quantize)
    if k is not None:
        on_step(f"keeping {k} tokens of a document")
        whole = parity.Vectors(path, checkpoint)(texts, batch=1)
        cut = top_k.append(assembly.PRECISIONS[quantize](graph.body(module), module), k, checkpoint)
        onnx_writer.write(cut, path)
        figures |= top_k.check(path, whole, k, checkpoint, texts)
    return figures | {"versions": parity.versions()}


def _write_rest(
    checkpoint: Checkpoint,
    folder: Path,
    name: str,
    version: str,
    quantize: str,
    k: int | None,
    figures: dict[str, Any],
) -> Config:
    (folder / TOKENIZER).write_text(checkpoint.tokenizer_json, encoding="utf-8")
    if checkpoint.weights is not None:
        token_weights.save(checkpoint.weights, folder / TABLE)
    config = Config(
        name=name,
        version=version,
        activation=checkpoint.activation,
        max_length=checkpoint.max_length,
        vocab_size=checkpoint.vocab_size,
        query=checkpoint.query,
        opset=graph.OPSET,
        quantization=quantize,
        document_fingerprint=document_fingerprint(folder / ONNX, checkpoint.tokenizer_json),
        # A Siamese encoder has no table: its query side is its document side.
        query_fingerprint=query_fingerprint(checkpoint.tokenizer_json, checkpoint.weights or {}),
        word_form=word_form(checkpoint.tokenizer),
        kept_tokens=checkpoint.vocab_size - len(checkpoint.left_out) if checkpoint.left_out else None,
        top_k=k,
        parity=figures,
    )
    (folder / CONFIG).write_text(json.dumps(asdict(config), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return config


def _name(checkpoint: str | Path, asked: str | None) -> str:
    """Names go into index and pipeline names: lower case, no spaces."""
    if asked is None:
        found = re.sub(r"[^a-z0-9]+", "-", given_path(checkpoint).absolute().name.lower()).strip("-")
        return found or "encoder"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", asked):
        raise CheckpointError(f"name {asked!r}: lower-case letters, digits and '-', as it becomes part of index names")
    return asked


def _check_output(target: Path, overwrite: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not (target / CONFIG).is_file():
        raise CheckpointError(f"{target}: exists and is not a bundle; choose another output")
    if not overwrite:
        raise CheckpointError(f"{target}: holds a bundle; choose another output or add --overwrite")


def _replace(staging: Path, target: Path) -> None:
    """Move ``staging`` to ``target``; what was there goes only once the new bundle is whole."""
    if not target.exists():
        staging.rename(target)
        return
    old = staging.with_suffix(".old")
    target.rename(old)
    try:
        staging.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
