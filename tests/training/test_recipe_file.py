"""Recipe files: what is read, and what is refused and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.training import recipe_file
from opensearch_lsr.training.recipe import Data, Objective, Recipe, Teacher
from opensearch_lsr.training.recipe_model import Model, Prior

LEAST = 'name = "n"\n[model]\nbackbone = "org/backbone"\n'


def write(folder: Path, text: str = LEAST) -> Path:
    file = folder / "recipe.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(file: Path, *settings: str) -> str:
    """The message, which is one line."""
    with pytest.raises(InputError) as raised:
        recipe_file.read(file, settings)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_the_least(tmp_path: Path) -> None:
    assert recipe_file.read(write(tmp_path)) == Recipe("n", Model("org/backbone"))


def test_every_kind_of_value(tmp_path: Path) -> None:
    found = recipe_file.read(
        write(
            tmp_path,
            """
            name = "n"
            seed = 7
            scale = 12
            [model]
            backbone = "b"
            learn_query_weights = true
            lexical_prior = { beta = 1 }
            [data]
            hub = ["org/one", "org/two:subset"]
            [[teachers]]
            kind = "dense"
            model = "org/teacher"
            weight = 0.5
            [[teachers]]
            kind = "scores"
            [[objectives]]
            kind = "kl"
            """,
        )
    )
    assert found == Recipe(
        "n",
        Model("b", learn_query_weights=True, lexical_prior=Prior(beta=1.0)),
        seed=7,
        scale=12.0,
        data=Data(hub=("org/one", "org/two:subset")),
        teachers=(Teacher("dense", "org/teacher", 0.5), Teacher("scores")),
        objectives=(Objective("kl"),),
    )
    assert isinstance(found.scale, float)


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("[trainig]\nsteps = 1", "unknown key trainig; known here are name, model, seed"),
        ("layer = 3", "unknown key model.layer; known here are backbone, query"),
        ("[model.lexical_prior]\nbetta = 1", "unknown key model.lexical_prior.betta"),
        ('[[teachers]]\nkind = "dense"\nmodle = "m"', "unknown key teachers.modle"),
        ("logs = 2.5", "model.logs is 2.5; it is of type int"),
        ('logs = "2"', "model.logs is '2'; it is of type int"),
        ("logs = true", "model.logs is True; it is of type int"),
        ("learn_query_weights = 1", "model.learn_query_weights is 1; it is of type bool"),
        ("layers = true", "model.layers is True; it is of type int"),
        ("max_length = -1", "model.max_length is -1; it is at least 1"),
        ("[training]\nlearning_rate = -1e-5", "training.learning_rate is -1e-05; it is at least 0"),
        ("[training]\nlearning_rate = true", "training.learning_rate is True; it is of type float"),
        ('query = "tabel"', "model.query is 'tabel'; it is one of table, encoder"),
        ("query = 1", "model.query is 1; it is one of table, encoder"),
        ("lexical_prior = true", "model.lexical_prior is True; it is a table, [model.lexical_prior]"),
        ('[data]\nhub = "org/one"', "data.hub is 'org/one'; it is a list"),
        ("[data]\nhub = [1]", "data.hub is 1; it is of type str"),
        ("teachers = 1", "unknown key model.teachers"),
        ("[[teachers]]\nweight = 1", "teachers.kind is missing"),
        ('[teachers]\nkind = "bm25"', "teachers is {'kind': 'bm25'}; it is a list"),
        ('[[objectives]]\nkind = "mse"', "objectives.kind is 'mse'; it is one of kl, margin_mse, info_nce"),
        ("[[evaluation]]\nsplit = 'dev'", "evaluation.folder is missing"),
    ],
)
def test_refused(tmp_path: Path, addition: str, message: str) -> None:
    file = write(tmp_path, LEAST + addition)
    assert refused(file).startswith(f"{file}: ")
    assert message in refused(file)


def test_missing_keys(tmp_path: Path) -> None:
    assert "model is missing" in refused(write(tmp_path, 'name = "n"'))
    assert "name is missing" in refused(write(tmp_path, '[model]\nbackbone = "b"'))
    assert "model.backbone is missing" in refused(write(tmp_path, 'name = "n"\n[model]\nlogs = 1'))


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    file = write(tmp_path, "name = \n")
    assert refused(file).startswith(f"{file}: not TOML (")
    file.write_bytes(b'name = "\xff"')
    assert refused(file).startswith(f"{file}: not TOML (")
    assert "no such recipe; shipped are " in refused(tmp_path / "other.toml")
    assert refused(Path("other")).startswith("other: no such recipe")


@pytest.mark.parametrize(
    ("setting", "table", "key", "value"),
    [
        ("training.steps=20", "training", "steps", 20),
        ("training.learning_rate=3e-4", "training", "learning_rate", 3e-4),
        ("training.learning_rate=1", "training", "learning_rate", 1.0),
        ("training.bf16=true", "training", "bf16", True),
        ("model.backbone=org/other", "model", "backbone", "org/other"),
        ('model.backbone="org/other"', "model", "backbone", "org/other"),
        ("model.backbone=a=b", "model", "backbone", "a=b"),
        ('data.hub=["a/b", "c/d"]', "data", "hub", ("a/b", "c/d")),
        ("data.hub=[]", "data", "hub", ()),
        ("model.lexical_prior.beta=0.5", "model", "lexical_prior", Prior(beta=0.5)),
        ("model.lexical_prior={k = 2}", "model", "lexical_prior", Prior(k=2.0)),
        ("regularizer.kind=df_flops", "regularizer", "kind", "df_flops"),
    ],
)
def test_set(tmp_path: Path, setting: str, table: str, key: str, value: Any) -> None:
    file = write(tmp_path, LEAST + "[training]\nsteps = 3\nwarmup = 2\n")
    found = recipe_file.read(file, [setting])
    assert getattr(getattr(found, table), key) == value
    assert found.training.warmup == 2  # what is not set stays


def test_set_at_the_top_and_in_lists(tmp_path: Path) -> None:
    file = write(tmp_path, LEAST + '[[teachers]]\nkind = "bm25"\n[[teachers]]\nkind = "scores"\n')
    found = recipe_file.read(file, ["name=other name", "seed=3", "teachers.1.weight=0.25", "seed=4"])
    assert (found.name, found.seed) == ("other name", 4)
    assert found.teachers == (Teacher("bm25"), Teacher("scores", weight=0.25))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.steps", "--set training.steps: not KEY=VALUE"),
        ("trainig.steps=3", "unknown key trainig"),
        ("training.step=3", "unknown key training.step"),
        ("training.steps=many", "training.steps is 'many'; it is of type int"),
        ("training.steps=-3", "training.steps is -3; it is at least 1"),
        ("name.first=x", "--set name.first=x: there is no such place"),
        ("teachers.4.weight=1", "--set teachers.4.weight=1: there is no such place"),
        ("teachers.weight=1", "--set teachers.weight=1: there is no such place"),
        ("model=5", "model is 5; it is a table"),
    ],
)
def test_set_refused(tmp_path: Path, setting: str, message: str) -> None:
    assert message in refused(write(tmp_path, LEAST + '[[teachers]]\nkind = "bm25"\n'), setting)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the recipe; ``$NAME`` and ``~``; patterns, sorted; a Hub name stays what it is."""
    for name in ("a.jsonl", "corpora/two/x", "corpora/one/x", "backbone/x", "home/b.jsonl", "idf.json", "teacher/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setenv("RECIPE_TEST_FOLDER", str(tmp_path / "corpora"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    file = write(
        tmp_path,
        """
        name = "n"
        model = { backbone = "backbone", token_weights = "idf.json" }
        teachers = [{ kind = "dense", model = "teacher" }, { kind = "dense", model = "org/teacher" }]
        evaluation = [{ folder = "$RECIPE_TEST_FOLDER/two" }]
        data.train = ["a.jsonl", "~/b.jsonl"]
        data.pseudo_queries = ["corpora/*", "${RECIPE_TEST_FOLDER}/one"]
        """,
    )
    found = recipe_file.read(file)
    assert found.data.train == (str(tmp_path / "a.jsonl"), str(tmp_path / "home" / "b.jsonl"))
    one, two = str(tmp_path / "corpora" / "one"), str(tmp_path / "corpora" / "two")
    assert found.data.pseudo_queries == (one, two, one)
    assert found.model.backbone == str(tmp_path / "backbone")
    assert found.model.token_weights == str(tmp_path / "idf.json")
    assert [teacher.model for teacher in found.teachers] == [str(tmp_path / "teacher"), "org/teacher"]
    assert found.evaluation[0].folder == two
    monkeypatch.chdir(tmp_path)
    assert recipe_file.read("recipe.toml") == found  # wherever it is read from


@pytest.mark.parametrize(
    "setting", ['data.train=["no.jsonl"]', 'data.pseudo_queries=["no/*"]', "evaluation=[{folder = 'no'}]"]
)
def test_missing_paths(tmp_path: Path, setting: str) -> None:
    message = refused(write(tmp_path), setting)
    assert "is not there (looked in " in message
    assert "no" in message.split(" is not there")[0] and str(tmp_path) in message


@pytest.mark.parametrize("setting", ["training.steps=0", "training.log_every=0", "batches.size=0", "batches.queries=0"])
def test_numbers_that_are_at_least_1(tmp_path: Path, setting: str) -> None:
    assert f"{setting[:-2]} is 0" in refused(write(tmp_path), setting)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_numbers_are_finite(tmp_path: Path, value: str) -> None:
    assert "training.learning_rate is" in refused(write(tmp_path), f"training.learning_rate={value}")


@pytest.mark.parametrize("name", recipe_file.shipped())
def test_shipped_recipes(name: str, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.touch()
    settings = [f'data.train=["{data}"]', f'data.pseudo_queries=["{data}"]']
    found = recipe_file.read(name, settings)
    assert found.data.train == (str(data),)
    assert found.regularizer.weight > 0


def test_paths_set_for_a_shipped_recipe_are_those_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example of ``train --help``."""
    (tmp_path / "corpus.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    found = recipe_file.read("inference-free", ['data.pseudo_queries=["corpus.jsonl"]'])
    assert found.data.pseudo_queries == (str(tmp_path / "corpus.jsonl"),)
