"""Checkpoints on disk: a sentence-transformers ``SparseEncoder`` folder, with ``idf.json`` where there is a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opensearch_lsr import token_weights
from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.given_path import given_path
from opensearch_lsr.stranger_files import bounded, inside
from opensearch_lsr.training.causal_transformer import CausalTransformer
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.logs import Logs

with needs_extra("train", "opening a checkpoint"):
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router
    from transformers.utils import logging as transformers_logging

OURS = {f"{kind.__module__}.{kind.__name__}": kind for kind in (Logs, LexicalPrior, CausalTransformer)}


def find(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint or another model; one of the Hub (``owner/name``) is fetched.

    Raises:
        CheckpointError: when there is neither, or it would read files outside its folder.
    """
    path = given_path(name_or_path)
    if path.is_dir():
        _check_nothing_leads_out(path)
        return path
    text = str(name_or_path)
    if path.exists() or text.count("/") != 1 or text.startswith((".", "/", "~")):
        raise CheckpointError(f"{text}: no such folder; give a checkpoint's folder or its Hub name (owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        # No .bin, .pt or .py: what is not opened need not be fetched.
        patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*.md"]
        return Path(snapshot_download(text, allow_patterns=patterns, ignore_patterns=["onnx/*", "openvino/*"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{text}: no such folder, and the Hub did not give it ({type(error).__name__})"
        ) from error


def _check_nothing_leads_out(folder: Path) -> None:
    """Links, and the files that a weight index names, are in the folder; sentence-transformers checks its own paths."""
    for pattern in ("*", "*/*", "*/*/*"):
        for path in folder.glob(pattern):
            if path.is_symlink():
                inside(folder, str(path.relative_to(folder)), CheckpointError)
            if path.name.endswith(".index.json"):
                with one_line(path):
                    shards = set(json.loads(bounded(path, 100, CheckpointError).read_text())["weight_map"].values())
                for shard in shards:
                    inside(path.parent, str(shard), CheckpointError)


def load(folder: str | Path, **model_kwargs: Any) -> SparseEncoder:
    """Open a checkpoint whose modules are sentence-transformers' and this package's, and no others.

    Args:
        folder: of the checkpoint.
        model_kwargs: for the transformer; float32 unless told otherwise.

    Returns:
        The encoder, on the CPU.

    Raises:
        CheckpointError: when it needs other code, or cannot be opened.
    """
    with one_line(folder), no_bars():
        # sentence-transformers would ask for trust_remote_code, and then also run code that the folder brings. Its
        # trainer opens checkpoints this way, too.
        model: SparseEncoder = SparseEncoder._load_with_module_classes(
            str(folder),
            OURS,
            device="cpu",
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True} | model_kwargs,
        )
    return model


@contextmanager
def no_bars() -> Iterator[None]:
    """Keep loading's progress bars and reports off the terminal."""
    bars, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def one_line(folder: str | Path) -> Iterator[None]:
    """Turn whatever opening a model raises into one line.

    Raises:
        CheckpointError: naming the folder.
    """
    try:
        yield
    except Exception as error:  # OSError, ValueError, SafetensorError, KeyError …: all of them say "unusable folder"
        if "trust_remote_code" in str(error):
            raise CheckpointError(
                f"{folder}: needs code of its own (trust_remote_code), which is not run here"
            ) from error
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CheckpointError(f"{folder}: cannot be opened ({reason[:200]})") from error


def save(model: SparseEncoder, folder: Path) -> None:
    """Write a checkpoint, without a card; adapters are merged into the weights first."""
    for module in document_modules(model):
        if isinstance(module, CausalTransformer):
            module.merge_lora()
    model.save_pretrained(str(folder), create_model_card=False)
    static = query_table(model)
    if static is not None:
        values = static.weight.detach().float().tolist()
        tokens = sorted(static.tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        token_weights.save({token: values[index] for token, index in tokens}, folder / "idf.json")


def document_modules(model: SparseEncoder) -> list[Any]:
    """The modules that encode a document, in order."""
    first = model[0]
    return list(first.sub_modules["document"]) if isinstance(first, Router) else list(model)


def positions(model: Any) -> int | None:
    """How many tokens a transformer reads at most; None where its config does not say."""
    config = model.config
    # RoBERTa's positions start after the padding id, so two of its positions are never used.
    offset = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    limit = getattr(config, "max_position_embeddings", None)
    return None if limit is None else int(limit) - offset


def query_table(model: SparseEncoder) -> Any:
    """The ``SparseStaticEmbedding`` of the query side; None for a Siamese encoder."""
    first = model[0]
    return first.sub_modules["query"][0] if isinstance(first, Router) else None
