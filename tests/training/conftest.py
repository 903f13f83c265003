"""Fixtures of the training tests: what a run needs, tiny."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tiny_causal import Family, make_causal
from tiny_checkpoint import WORDS, make_model, make_tokenizer

from opensearch_lsr.training.recipe import Batches, Data, Recipe, Training
from opensearch_lsr.training.recipe_model import Model

VOCABULARY = list(dict.fromkeys(WORDS.split()))[60:]  # content words, a token each


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tensors this small only wait for each other; and sums have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def masked_lm(checkpoint_folder: Callable[..., Path]) -> Path:
    """A backbone with a masked-LM head."""
    return checkpoint_folder("mlm")


@pytest.fixture(scope="session")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same backbone without it."""
    folder = tmp_path_factory.mktemp("backbone") / "headless"
    make_model().bert.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def causal_lm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``causal_lm(family)``: a folder to read, not to change."""

    @cache
    def make(family: Family = "llama") -> Path:
        return make_causal(tmp_path_factory.mktemp("causal") / family, family)

    return make


@pytest.fixture(scope="session")
def examples_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 lines of query/docs/scores: three documents of ten words; the query, three words of the first, scores it 3."""
    chance = random.Random(0)
    lines = []
    for _ in range(40):
        positive, *negatives = (chance.sample(VOCABULARY, 10) for _ in range(3))
        query = " ".join(positive[:3])
        lines.append({"query": query, "docs": [" ".join(d) for d in (positive, *negatives)], "scores": [3.0, 1.0, 0.0]})
    file = tmp_path_factory.mktemp("data") / "examples.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def tiny_recipe(masked_lm: Path, examples_file: Path) -> Callable[..., Recipe]:
    """``tiny_recipe(model={…}, training={…}, batches={…}, **others)``: a second's run, with what is given changed."""

    def make(
        model: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
        batches: dict[str, Any] | None = None,
        **others: Any,
    ) -> Recipe:
        settings: dict[str, Any] = {
            "name": "tiny",
            "model": Model(**{"backbone": str(masked_lm), "token_weights": "ones", "max_length": 64} | (model or {})),
            "data": Data(train=(str(examples_file),)),
            "batches": Batches(**{"size": 8} | (batches or {})),
            "training": Training(
                **{"steps": 6, "learning_rate": 1e-3, "checkpoint_every": 100, "log_every": 2} | (training or {})
            ),
        }
        return Recipe(**settings | others)

    return make


@pytest.fixture(scope="session")
def make_dense(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A folder with a tiny bi-encoder; ``normalize`` says whether it does so itself."""

    def make(normalize: bool = True, similarity: str = "cosine", seed: int = 0) -> Path:
        folder = tmp_path_factory.mktemp("dense")
        make_model(seed).bert.save_pretrained(folder / "parts")
        make_tokenizer().save_pretrained(folder / "parts")
        modules: list[Any] = [Transformer(str(folder / "parts")), Pooling(32)]
        model = SentenceTransformer(
            modules=[*modules, Normalize()] if normalize else modules, device="cpu", similarity_fn_name=similarity
        )
        model.save_pretrained(str(folder / "tiny"), create_model_card=False)
        return folder / "tiny"

    return make
