"""Recipes that contradict themselves are refused when they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.training import recipe_file

LEAST = 'name = "n"\n[model]\nbackbone = "org/backbone"\n'
KL = 'objectives=[{kind="kl"}]'
MARGIN = 'objectives=[{kind="info_nce", margin=0.0}]'
BM25 = 'teachers=[{kind="bm25"}]'
SIAMESE = "model.query=encoder"
LEARNED = "model.learn_query_weights=true"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "recipe.toml"
    found.write_text(LEAST, encoding="utf-8")
    return found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.unmatched=1.5"], "data.unmatched is 1.5; it is a share, between 0 and 1"),
        (["batches.random_share=1.1"], "batches.random_share is 1.1; it is a share"),
        (["training.dropout=2.0"], "training.dropout is 2.0; it is a share"),
        (["model.attention=echo", "model.lora.dropout=2.0"], "model.lora.dropout is 2.0; it is a share"),
        (["regularizer.kind=df_flops", "regularizer.alpha=0.0"], "regularizer.alpha is 0.0; it is a share, above 0"),
        (["regularizer.kind=df_flops", "regularizer.alpha=1.0"], "regularizer.alpha is 1.0; it is a share, above 0"),
        (["regularizer.kind=df_flops", "regularizer.beta=0.0"], "regularizer.beta is 0.0; it is above 0"),
        (["model.lexical_prior.b=1.0"], "model.lexical_prior.b is 1.0; it is a share, above 0 and below 1"),
        (["model.lexical_prior.k=0"], "model.lexical_prior.k is 0.0; it is above 0"),
        (["scale=0"], "scale is 0.0; it is above 0"),
        (["objectives=[]"], "objectives is empty; name one, or leave it out for info_nce"),
        ([KL], "objectives.0.kind is kl, which learns from [[teachers]]; add one"),
        (['objectives=[{kind="info_nce"}, {kind="margin_mse"}]', "normalize=none"], "objectives.1.kind is margin_mse"),
        (['objectives=[{kind="margin_mse"}]', BM25], "margin_mse matches the teacher's own margins; set normalize = n"),
        ([MARGIN], "objectives.0.margin compares scores of [[teachers]]; add one, or leave it out"),
        (['objectives=[{kind="kl", margin=1.0}]', BM25], "objectives.0.margin is for info_nce, not kl"),
        (['teachers=[{kind="bm25"}, {kind="dense"}]'], "teachers.1.model is missing; a dense teacher needs it"),
        (['teachers=[{kind="sparse", model=""}]'], "teachers.0.model is missing; a sparse teacher needs it"),
        (['teachers=[{kind="scores", model="m"}]'], "teachers.0.model is for dense and sparse teachers, not scores"),
        (['teachers=[{kind="bm25", weight=0}]'], "teachers.0.weight is 0; leave the teacher out"),
        ([SIAMESE, "model.token_weights=ones"], "model.token_weights needs model.query = table"),
        ([SIAMESE, LEARNED], "model.learn_query_weights needs model.query = table"),
        ([SIAMESE, "model.lexical_prior={}"], "model.lexical_prior needs model.query = table"),
        ([SIAMESE, "regularizer.kind=idf_flops"], "regularizer.kind = idf_flops needs a query table's weights"),
        (["training.query_learning_rate=0.0"], "training.query_learning_rate is of a learned table; set model.learn"),
        ([SIAMESE, "training.query_learning_rate=0.1"], "training.query_learning_rate is of a learned table"),
        (["regularizer.query_weight=0.1"], "regularizer.query_weight cannot change a fixed table"),
        (["model.lora={}"], "model.lora needs model.attention: adapters are for causal LMs"),
        (["training.train_length=257"], "training.train_length is 257, but the model reads model.max_length = 256"),
        (["regularizer.weighting=contribution"], "regularizer.weighting is for idf_flops, not flops; leave it out"),
        (["regularizer.kind=idf_flops", "regularizer.alpha=0.2"], "regularizer.alpha is for df_flops, not idf_flops"),
        (["regularizer.beta=9"], "regularizer.beta is for df_flops, not flops; leave it out"),
        (["batches.candidates=own"], "batches.candidates = own with batches.documents = 1 leaves a query no document"),
        (["batches.size=1"], "batches.size = 1 with batches.documents = 1 leaves a query no document but its own"),
        (["training.evaluate_every=5"], "training.evaluate_every without a dev split; add [[evaluation]]"),
    ],
)
def test_refused(file: Path, settings: list[str], message: str) -> None:
    with pytest.raises(InputError) as raised:
        recipe_file.read(file, settings)
    assert str(raised.value).startswith(f"{file}: {message}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        [KL, BM25],
        [MARGIN, BM25],
        ['objectives=[{kind="margin_mse"}]', 'teachers=[{kind="scores"}]', "normalize=none"],
        [LEARNED, "training.query_learning_rate=0.1", "regularizer.query_weight=0.1", "model.token_weights=ones"],
        [SIAMESE, "regularizer.query_weight=0.1"],
        ["model.max_length=64", "training.train_length=64", "training.dropout=0.0", "batches.random_share=0"],
        ["regularizer.kind=idf_flops", "regularizer.weighting=contribution"],
        ["regularizer.kind=df_flops", "regularizer.alpha=0.3", "regularizer.beta=4"],
        ["batches.candidates=own", "batches.documents=2", "batches.size=1"],
        ["training.evaluate_every=5", 'evaluation=[{folder="."}]'],
    ],
)
def test_taken(file: Path, settings: list[str]) -> None:
    recipe_file.read(file, settings)
