"""The ℓ0 approximation activation with more logarithms than SpladePooling has."""

from __future__ import annotations

import doctest
import math
from pathlib import Path

import pytest
import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tiny_checkpoint import make_model, make_tokenizer

from opensearch_lsr.errors import InputError
from opensearch_lsr.training import logs
from opensearch_lsr.training.logs import Logs


def test_docstring_examples() -> None:
    results = doctest.testmod(logs)
    assert (results.failed, results.attempted > 0) == (0, True)


def test_value_and_gradient() -> None:
    # x = e − 1: log(1 + x) = 1, log(1 + 1) = ln 2; the derivative is 1/(1 + x) · 1/(1 + 1) = 1/(2e), and 1 at 0
    weights = torch.tensor([[0.0, math.e - 1]], requires_grad=True)
    out = Logs(2)({"sentence_embedding": weights})["sentence_embedding"]
    torch.testing.assert_close(out, torch.tensor([[0.0, math.log(2)]]))
    out.sum().backward()
    torch.testing.assert_close(weights.grad, torch.tensor([[1.0, 1 / (2 * math.e)]]))


def test_one_more_log_behind_pooling_is_the_other_activation() -> None:
    features = {"token_embeddings": torch.randn(2, 5, 9), "attention_mask": torch.tensor([[1] * 5, [1, 1, 0, 0, 0]])}
    two = SpladePooling("max", "log1p_relu").train()(dict(features))["sentence_embedding"]
    one = SpladePooling("max", "relu").train()(dict(features))
    torch.testing.assert_close(Logs(1)(one)["sentence_embedding"], two)


def test_a_checkpoint_keeps_its_logs(tmp_path: Path) -> None:
    make_model().save_pretrained(tmp_path / "parts")
    make_tokenizer().save_pretrained(tmp_path / "parts")
    transformer = Transformer(str(tmp_path / "parts"), transformer_task="fill-mask")
    modules = [transformer, SpladePooling("max", "log1p_relu"), Logs(3)]
    model = SparseEncoder(modules=modules, device="cpu")
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    loaded = SparseEncoder(str(tmp_path / "model"), trust_remote_code=True, device="cpu")
    assert loaded[2].times == 3
    texts = ["leaking tap", ""]
    torch.testing.assert_close(loaded.encode(texts).to_dense(), model.encode(texts).to_dense())
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        SparseEncoder(str(tmp_path / "model"), device="cpu")


def test_no_logs_is_no_module() -> None:
    with pytest.raises(InputError, match="Logs takes 1 or more"):
        Logs(0)
