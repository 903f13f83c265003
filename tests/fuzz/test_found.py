"""What fuzzing found, one by one."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import pytest
import small_bundle
from click.testing import CliRunner

from opensearch_lsr import settings_file, token_weights
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cli.index import _Rejects
from opensearch_lsr.cli.main import cli
from opensearch_lsr.data import beir, documents
from opensearch_lsr.data.documents import Reject
from opensearch_lsr.errors import BundleError, InputError
from opensearch_lsr.evaluation import suite
from opensearch_lsr.given_path import given_path
from opensearch_lsr.sparse_vector import read_jsonl
from opensearch_lsr.tokenizer_file import load_tokenizer
from opensearch_lsr.training import recipe_file
from opensearch_lsr.training.recipe import Recipe
from opensearch_lsr.whole_file import whole

HEX = "0x" + "f" * 5000  # which Python reads, and does not write


def recipe(folder: Path, text: str) -> Path:
    file = folder / "recipe.toml"
    file.write_text(f'name = "a"\nmodel.backbone = "owner/model"\n{text}', encoding="utf-8")
    return file


@pytest.mark.parametrize("line", ['{"_id": "1", "text": "a", "n": NaN}', '{"_id": "1", "text": "a", "n": 1e999}'])
def test_numbers_that_no_request_carries(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.jsonl").write_text(line)
    (found,) = documents.read(str(tmp_path / "c.jsonl"), ["text"])
    assert isinstance(found, Reject) and "is no number" in found.reason


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"_id": "1", "text": "tap"}\r\n')
    assert beir.read_queries(file) == {"1": "tap"}
    assert [one.id for one in documents.read_all(str(file), ["text"])] == ["1"]


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"_id": null, "text": "a"}',
        '{"_id": "", "text": "a"}',
        '{"_id": "1", "text": null}',
        '{"_id": "1", "text": "\\ud800"}',
    ],
)
def test_queries_that_are_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "queries.jsonl").write_text(f'{{"_id": "0", "text": "tap"}}\n\n{line}\n')
    with pytest.raises(InputError, match="queries.jsonl:3: not a"):  # the blank line counts
        beir.read_queries(tmp_path)


def test_a_grade_that_no_sum_holds(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n\nq\td\t{10**300}\n")
    with pytest.raises(InputError, match="test.tsv:3: not 'query-id"):
        beir.read_qrels(tmp_path / "test.tsv")


@pytest.mark.parametrize("vector", ["[" * 100_000, f'{{"a": {10**400}}}', '{"a": NaN}'])
def test_vectors_that_are_none(vector: str) -> None:
    with pytest.raises(InputError, match="vectors:1: not a"):
        list(read_jsonl(io.StringIO(f'{{"id": "1", "vector": {vector}}}')))


def test_vectors_in_another_encoding() -> None:
    lines = io.TextIOWrapper(io.BytesIO(b'{"id": "1", "vector": {}}\n\xff\n'), encoding="utf-8")
    with pytest.raises(InputError, match="vectors:"):
        list(read_jsonl(lines))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"seed = {'9' * 5000}", "not TOML"),
        (f"seed = {HEX}", "seed is a number of thousands of digits; it is at least 0, and below 2^63"),
        (f"scale = {HEX}", "scale is a number of thousands of digits"),
        (f"[data]\ntrain = {HEX}", "data.train is a number of thousands of digits; it is a list"),
        ("seed = " + "[" * 3000, "not TOML"),
        ("[training]\nlearning_rate = -1", "training.learning_rate is -1; it is at least 0"),
        ("[data]\ntrain = ['~nobody-of-this-name/x']", "~nobody-of-this-name/x: is no path"),
        ("[data]\ntrain = ['a**b']", "is no pattern"),
        (f"[data]\ntrain = ['{'long' * 200}']", "is no path (File name too long)"),
    ],
)
def test_recipes_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        recipe_file.read(recipe(tmp_path, text))
    assert message in str(refusal.value)


def test_a_setting_of_thousands_of_digits_is_a_text(tmp_path: Path) -> None:
    assert recipe_file.read(recipe(tmp_path, ""), [f"notes={'9' * 5000}"]).notes == "9" * 5000
    with pytest.raises(InputError, match="not KEY=VALUE in UTF-8"):
        recipe_file.read(recipe(tmp_path, ""), ["notes=\udcff"])


def test_control_characters_in_settings_are_read_again(tmp_path: Path) -> None:
    found = recipe_file.read(recipe(tmp_path, 'notes = "\\u007f\\u0000\\t"'))
    (tmp_path / "again.toml").write_text(settings_file.text(found), encoding="utf-8")
    assert settings_file.read(Recipe, tmp_path / "again.toml").notes == "\x7f\0\t"


def test_a_suite_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        suite.read(tmp_path)


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "a\0b", "long" * 200])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(InputError, match="is no path") as refusal:
        given_path(path)
    assert str(refusal.value).isprintable()


def test_a_message_is_one_line_of_a_bounded_length() -> None:
    message = str(InputError(f"a\nb\x1b[2J\ud800{'c' * 5000}: remove it"))
    assert message.startswith("a b\\x1b[2J\\ud800c") and message.endswith("remove it")
    assert message.isprintable() and len(message) < 2000


def test_a_tokenizer_in_another_encoding(tmp_path: Path) -> None:
    small_bundle.write(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"\xff")
    with pytest.raises(BundleError, match="tokenizer.json: not a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")
    with pytest.raises(BundleError, match="tokenizer.json: not a tokenizer"):
        Bundle.open(tmp_path).verify()


def test_a_tokenizer_that_fails_at_the_first_unknown_word(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(small_bundle.tokenizer().replace(b'"unk_token":"[UNK]"', b'"unk_token":"none"'))
    with pytest.raises(BundleError, match="not a tokenizer .*Missing"):
        load_tokenizer(file)


def test_a_tokenizer_that_panics(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    tree = json.loads(small_bundle.tokenizer())
    del tree["post_processor"]["special_tokens"]["[CLS]"]  # which its template names
    file.write_text(json.dumps(tree))
    with pytest.raises(BundleError, match="not a tokenizer"):
        load_tokenizer(file)


def test_true_is_no_weight() -> None:
    with pytest.raises(BundleError, match="token 'tap' weighs True"):
        token_weights.check({"tap": True}, ["tap"], [], "idf.json")


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with whole(pipe) as draft:
        draft.write_text("table")
    reader.join(10)
    assert read == ["table"] and pipe.is_fifo()


def test_a_rejects_file_that_is_none_stays() -> None:
    terminal, name = os.openpty()
    with _Rejects(Path(os.ttyname(name))):
        pass
    assert Path(os.ttyname(name)).exists()
    os.close(terminal)


@pytest.mark.parametrize(
    "arguments",
    [
        ["benchmark", "gate", "results", "--min-ndcg", "nan"],
        ["migrate", "a", "b", "--min-ndcg-ratio", "nan"],
        ["rollback", "a", "--max-block", "inf"],
        ["mine", "a", "-o", "b", "--with", "bm25", "--depth", f"1-{'9' * 5000}"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_limits_that_are_none(arguments: list[str]) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2, json.dumps(done.output)
