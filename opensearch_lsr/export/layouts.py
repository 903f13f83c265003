"""The folders a checkpoint comes in, opened without running code of theirs and without unpickling anything.

=====================  ==================================  =============================================
layout                 recognised by                       query side
=====================  ==================================  =============================================
sentence-transformers  ``modules.json``                    Router: SparseStaticEmbedding; plain: encoder
masked LM              ``config.json`` without the former  ``idf.json``
=====================  ==================================  =============================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opensearch_lsr import token_weights
from opensearch_lsr.errors import CheckpointError, needs_extra

with needs_extra("export", "exporting a checkpoint"):
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

    from opensearch_lsr.export.causal import CausalDocuments
    from opensearch_lsr.training import checkpoint
    from opensearch_lsr.training.lexical_prior import LexicalPrior
    from opensearch_lsr.training.logs import Logs

# Eager attention is plain matrix products and a softmax, the only kind that the exporter writes at opset 17.
_MODEL = {"attn_implementation": "eager", "use_safetensors": True, "dtype": torch.float32}
_FURTHER: tuple[list[str], ...] = ([], ["Logs"], ["LexicalPrior"], ["Logs", "LexicalPrior"])
_LOCAL = {"trust_remote_code": False, "local_files_only": True}


@dataclass(frozen=True)
class Loaded:
    """What a folder held, not yet checked against each other.

    Attributes:
        model: the masked LM or :class:`CausalDocuments`, float32, eager attention; ids and mask [batch, sequence] →
            ``.logits`` [batch, sequence, vocab].
        tokenizer: the document side's transformers tokenizer.
        activation: what the folder says, or None where it says nothing.
        weights: the query side's table, or None for a Siamese encoder.
        oracle: the ``SparseEncoder``, where the folder is one.
        prior: its lexical prior, where it has one.
    """

    model: torch.nn.Module
    tokenizer: Any
    activation: str | None
    weights: token_weights.TokenWeights | None
    oracle: Any
    prior: LexicalPrior | None = None


def load(folder: Path) -> Loaded:
    """Open a checkpoint folder.

    Raises:
        CheckpointError: naming the file or setting that cannot be exported.
        BundleError: when ``idf.json`` is missing or damaged.
    """
    _refuse_pickles(folder)
    if (folder / "modules.json").is_file():
        return _sparse_encoder(folder)
    if (folder / "config.json").is_file():
        return _masked_lm(folder)
    raise CheckpointError(
        f"{folder}: no checkpoint (neither modules.json nor config.json); "
        "give a sentence-transformers SparseEncoder folder, or a masked LM with its idf.json"
    )


def _sparse_encoder(folder: Path) -> Loaded:
    oracle = checkpoint.load(folder, **_MODEL).eval()
    for side in ("document", "query"):
        if (oracle.prompts or {}).get(side):
            raise CheckpointError(f"{folder}: has a {side} prompt; a bundle has none, train without prompts")
    modules = list(oracle)
    if type(modules[0]).__name__ != "Router":
        return _document_side(folder, modules, None, oracle)
    routes = modules[0].sub_modules
    if set(routes) != {"query", "document"} or len(modules) != 1:
        raise CheckpointError(f"{folder}: routes {sorted(routes)}; an encoder has one Router of 'query' and 'document'")
    return _document_side(folder, list(routes["document"]), list(routes["query"]), oracle)


def _document_side(folder: Path, document: Sequence[Any], query: Sequence[Any] | None, oracle: Any) -> Loaded:
    names = [type(module).__name__ for module in document]
    if names[:1] == ["MLMTransformer"]:  # its older name
        names[0] = "Transformer"
    causal = names[:1] == ["CausalTransformer"]
    if not (causal or names[:1] == ["Transformer"]) or names[1:] not in [["SpladePooling", *more] for more in _FURTHER]:
        raise CheckpointError(
            f"{folder}: document side is {' + '.join(names)}; it is a masked or causal LM and SpladePooling, then at "
            "most Logs and LexicalPrior"
        )
    transformer, pooling, *further = document
    activation = "".join("log1p_" * module.times for module in further if isinstance(module, Logs))
    activation += pooling.activation_function
    prior = next((module for module in further if isinstance(module, LexicalPrior)), None)
    if pooling.pooling_strategy != "max":
        raise CheckpointError(f"{folder}: pools by {pooling.pooling_strategy}; only max pooling can be exported")
    tokenizer = transformer.tokenizer
    weights = None if query is None else _static_weights(folder, query, tokenizer)
    model = CausalDocuments(transformer) if causal else transformer.auto_model
    return Loaded(model, tokenizer, activation, weights, oracle, prior)


def _static_weights(folder: Path, query: Sequence[Any], tokenizer: Any) -> token_weights.TokenWeights:
    names = [type(module).__name__ for module in query]
    if names != ["SparseStaticEmbedding"]:
        raise CheckpointError(f"{folder}: query side is {' + '.join(names)}; it is one SparseStaticEmbedding")
    (static,) = query
    vocabulary = static.tokenizer.get_vocab()
    if vocabulary != tokenizer.get_vocab():
        raise CheckpointError(f"{folder}: query and document tokenizers differ; a bundle has one tokenizer for both")
    values = static.weight.detach().float().tolist()
    if len(values) != len(vocabulary):
        raise CheckpointError(
            f"{folder}: SparseStaticEmbedding has {len(values):,} weights, the tokenizer {len(vocabulary):,} tokens"
        )
    return {token: values[index] for token, index in sorted(vocabulary.items(), key=lambda entry: entry[1])}


def _masked_lm(folder: Path) -> Loaded:
    if not (folder / "idf.json").is_file():
        raise CheckpointError(
            f"{folder}: idf.json is missing, the query side's weights; for a Siamese encoder save the checkpoint "
            "with sentence-transformers: SparseEncoder(FOLDER).save(NEW_FOLDER)"
        )
    with checkpoint.no_bars(), checkpoint.one_line(folder):
        config = AutoConfig.from_pretrained(folder, **_LOCAL)
        model, report = AutoModelForMaskedLM.from_pretrained(
            folder, config=config, output_loading_info=True, **_LOCAL, **_MODEL
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, **_LOCAL)
    if report["missing_keys"]:
        raise CheckpointError(
            f"{folder}: model.safetensors lacks {min(report['missing_keys'])}; export needs all of the masked LM"
        )
    return Loaded(model.eval(), tokenizer, None, token_weights.load(folder / "idf.json"), None)


def _refuse_pickles(folder: Path) -> None:
    """Loading ``.bin`` weights unpickles them; sentence-transformers would do so where there is no safetensors file."""
    for pickled in sorted(folder.rglob("pytorch_model*.bin")):
        if not any(pickled.parent.glob("*.safetensors")):
            raise CheckpointError(
                f"{pickled}: pickled weights, which are not opened; save them as model.safetensors "
                "(save_pretrained does)"
            )
