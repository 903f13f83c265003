"""A checkpoint, opened and checked: all that the export needs of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opensearch_lsr import token_weights
from opensearch_lsr.errors import CheckpointError
from opensearch_lsr.export import layouts, vocabulary
from opensearch_lsr.export.causal import CausalDocuments
from opensearch_lsr.tokenizer_file import parse_tokenizer, special_tokens
from opensearch_lsr.training import checkpoint

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

    from opensearch_lsr.training.lexical_prior import LexicalPrior

ACTIVATION = re.compile(r"(log1p_)*relu")
DEFAULT_ACTIVATION = "relu"


@dataclass(frozen=True)
class Checkpoint:
    """A trained encoder.

    Attributes:
        path: its folder.
        model: masked or causal LM in float32; ids and mask [batch, sequence] → ``.logits`` [batch, sequence, vocab].
        tokenizer_json: the fast tokenizer, truncation to ``max_length`` written in, padding off.
        activation: by sentence-transformers' names: ``relu`` is log(1 + relu(x)), each ``log1p_`` before it one more
            log(1 + …).
        max_length: in tokens, special tokens included.
        weights: the query side's full table, special tokens 0; None for a Siamese encoder.
        oracle: the sentence-transformers ``SparseEncoder`` to compare with, where the folder is one.
        prior: added to the vectors, where the checkpoint has one.
        left_out: ids of tokens outside the vocabulary that was asked for.
    """

    path: Path
    model: torch.nn.Module
    tokenizer_json: str
    activation: str
    max_length: int
    weights: token_weights.TokenWeights | None
    oracle: Any
    prior: LexicalPrior | None = None
    left_out: Sequence[int] = ()

    @classmethod
    def open(
        cls,
        name_or_path: str | Path,
        activation: str | None = None,
        max_length: int | None = None,
        only: Path | None = None,
    ) -> Checkpoint:
        """Open a folder or a Hub repository (``owner/name``).

        Args:
            name_or_path: the checkpoint.
            activation: only where the folder itself does not say (masked LM + ``idf.json``); default ``relu``.
            max_length: cut documents to fewer tokens than the checkpoint does.
            only: a file of words, see :mod:`opensearch_lsr.export.vocabulary`; no other tokens have weights.

        Raises:
            CheckpointError: when it is missing, needs code of its own, or is not what can be exported.
            BundleError: when its table is partial or damaged.
        """
        folder = checkpoint.find(name_or_path)
        loaded = layouts.load(folder)
        activation = _activation(folder, loaded.activation, activation)
        max_length = _max_length(folder, loaded, max_length)
        loaded.tokenizer.model_max_length = max_length  # the oracle's too: it is the same object
        tokenizer = _fast_tokenizer(folder, loaded.tokenizer, max_length)
        _check_vocabulary(folder, tokenizer, loaded.model)
        left_out = vocabulary.left_out(tokenizer, only) if only else []
        weights = loaded.weights
        if weights is not None:
            specials = special_tokens(tokenizer)
            silent = [*specials, *(str(tokenizer.id_to_token(index)) for index in left_out)]
            weights = token_weights.without_specials(weights, silent)
            token_weights.check(weights, tokenizer.get_vocab(with_added_tokens=True), specials, str(folder))
        return cls(
            folder,
            loaded.model,
            tokenizer.to_str(),
            activation,
            max_length,
            weights,
            loaded.oracle,
            loaded.prior,
            left_out,
        )

    @property
    def query(self) -> str:
        """``"table"`` or ``"encoder"``, as in ``lsr.json``."""
        return "encoder" if self.weights is None else "table"

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return parse_tokenizer(self.tokenizer_json, str(self.path))

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def silent_ids(self) -> list[int]:
        """Ids of special tokens, and of those left out: their columns are 0 in every vector."""
        special = [index for index, added in self.tokenizer.get_added_tokens_decoder().items() if added.special]
        return sorted({*special, *self.left_out})


def _activation(folder: Path, own: str | None, asked: str | None) -> str:
    if own and asked and own != asked:
        raise CheckpointError(f"{folder}: was trained with activation {own}, not {asked}; leave --activation out")
    activation = own or asked or DEFAULT_ACTIVATION
    if not ACTIVATION.fullmatch(activation):
        raise CheckpointError(f"{folder}: activation {activation!r}; it is relu, or log1p_relu for one more logarithm")
    return activation


def _max_length(folder: Path, loaded: layouts.Loaded, asked: int | None) -> int:
    model = loaded.model
    positions = model.positions if isinstance(model, CausalDocuments) else checkpoint.positions(model)
    limit = loaded.tokenizer.model_max_length if positions is None else positions
    if asked is not None and not 8 <= asked <= limit:
        raise CheckpointError(f"{folder}: max length {asked}; this model takes 8 to {limit} tokens")
    return int(asked or min(limit, loaded.tokenizer.model_max_length))


def _fast_tokenizer(folder: Path, tokenizer: Any, max_length: int) -> Tokenizer:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise CheckpointError(f"{folder}: has no fast tokenizer; save one as tokenizer.json")
    fast = parse_tokenizer(backend.to_str(), str(folder))
    fast.no_padding()
    fast.enable_truncation(max_length)
    return fast


def _check_vocabulary(folder: Path, tokenizer: Tokenizer, model: torch.nn.Module) -> None:
    config: Any = model.config
    ids = sorted(tokenizer.get_vocab(with_added_tokens=True).values())
    if ids != list(range(config.vocab_size)):
        raise CheckpointError(
            f"{folder}: the tokenizer has {len(ids):,} tokens, the model {config.vocab_size:,}; a column is a token"
        )
