"""Tiny causal LMs in the layouts of GPT-2, Llama and Qwen, random weights, with a byte-level BPE tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from tiny_checkpoint import MAX_LENGTH, WORDS
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from opensearch_lsr.training import checkpoint, model
from opensearch_lsr.training.recipe_model import Model

Attention = Literal["causal", "echo", "bidirectional"]
Family = Literal["gpt2", "llama", "qwen2", "qwen3"]
FAMILIES: tuple[Family, ...] = ("gpt2", "llama", "qwen2", "qwen3")
SIZE, VOCABULARY = 32, 640
BEGIN, END, RESERVED = "<|begin|>", "<|endoftext|>", "<|reserved|>"


def make_causal(folder: Path, family: Family = "llama", seed: int = 0, **changes: Any) -> Path:
    """Write one.

    Args:
        folder: made if need be.
        family: ``gpt2`` (tied, one token for begin and end, no padding), ``llama`` (untied, in two shards, begin and
            end, a reserved token, no padding), ``qwen2`` (tied, no begin, a padded vocabulary), ``qwen3`` (the same,
            untied).
        seed: of the weights.
        changes: to the configuration.
    """
    tokenizer = make_tokenizer(family)
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}
    size = len(tokenizer.get_vocab())
    shared = ids | {"tie_word_embeddings": family != "llama" and family != "qwen3", "max_position_embeddings": 160}
    rotary = {"hidden_size": SIZE, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    rotary |= {"num_key_value_heads": 2}
    config = {
        "gpt2": lambda: GPT2Config(vocab_size=size, n_embd=SIZE, n_layer=2, n_head=2, n_positions=160, **ids | changes),
        "llama": lambda: LlamaConfig(vocab_size=size, **shared | rotary | changes),
        "qwen2": lambda: Qwen2Config(vocab_size=size + 24, **shared | rotary | changes),
        "qwen3": lambda: Qwen3Config(vocab_size=size + 24, head_dim=8, **shared | rotary | changes),
    }[family]()
    torch.manual_seed(seed)
    made = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
    made.save_pretrained(folder, max_shard_size="80KB" if family == "llama" else "50GB")
    tokenizer.save_pretrained(folder)
    return folder


def make_causal_encoder(folder: Path, family: Family, attention: Attention) -> Path:
    """A checkpoint as training leaves it: some tens of entries of a document fire."""
    make_causal(folder / "lm", family)
    asked = Model(backbone=str(folder / "lm"), attention=attention, token_weights="ones", max_length=48)
    encoder = model.build(asked).eval()
    bias = checkpoint.document_modules(encoder)[0].auto_model.get_output_embeddings().bias
    with torch.no_grad():
        bias[bias > -100] -= 4
    checkpoint.save(encoder, folder / "checkpoint")
    return folder / "checkpoint"


def make_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """As such a family comes: without padding; GPT-2 and Qwen add no tokens to a text, Llama its first."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    named = [BEGIN, END] if family == "llama" else [END]
    added = [*named, *([RESERVED] if family == "llama" else [])]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True) for token in added],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" " + " ".join(WORDS.split())] * 2, trainer)
    backend.post_processor = processors.ByteLevel()
    if family == "llama":
        begins = processors.TemplateProcessing(single=[BEGIN, "$A"], special_tokens=[(BEGIN, 0)])
        backend.post_processor = processors.Sequence([processors.ByteLevel(), begins])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=2 * MAX_LENGTH,
        bos_token={"llama": BEGIN, "gpt2": END}.get(family),
        eos_token=END,
    )
