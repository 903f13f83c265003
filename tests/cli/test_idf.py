"""The idf command: a full table, by hand."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opensearch_lsr import token_weights
from opensearch_lsr.bundle import DEFAULT, Bundle
from opensearch_lsr.cli.idf import idf
from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.errors import BundleError, InputError
from opensearch_lsr.tokenizer_file import load_tokenizer, special_tokens

CORPUS = [
    {"_id": "1", "title": "Dog", "text": "the dog and the cat"},
    {"_id": "2", "title": "", "text": "the bird"},
    {"_id": "3", "text": "water"},
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(idf, [str(argument) for argument in arguments])


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in CORPUS))
    return tmp_path / "corpus.jsonl"


def lucene(frequency: int, documents: int) -> float:
    return math.log(1 + (documents - frequency + 0.5) / (frequency + 0.5))


def test_by_hand(corpus: Path, tmp_path: Path) -> None:
    result = run(corpus, "-o", tmp_path / "idf.json")
    assert result.exit_code == 0, result.output
    assert "30,522 tokens, 6 of them in 3 documents" in " ".join(result.output.split())
    weights = token_weights.load(tmp_path / "idf.json")
    tokenizer = load_tokenizer(DEFAULT / "tokenizer.json")
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    assert list(weights) == sorted(vocabulary, key=vocabulary.__getitem__)
    token_weights.check(weights, vocabulary, special_tokens(tokenizer), "idf.json")
    assert weights["the"] == pytest.approx(lucene(2, 3)) == pytest.approx(math.log(1.6))
    assert weights["dog"] == weights["water"] == pytest.approx(lucene(1, 3))
    assert weights["oven"] == pytest.approx(lucene(0, 3)) == pytest.approx(math.log(8))
    assert weights["[CLS]"] == weights["[UNK]"] == 0


def test_only_the_fields_asked_for(corpus: Path, tmp_path: Path) -> None:
    result = run(corpus, "-o", tmp_path / "idf.json", "--field", "title", "--json")
    assert result.stderr.count("not counted: ") == 2
    assert f"{corpus}:2: no text in title" in result.stderr
    summary = json.loads(result.stdout)
    assert (summary["documents"], summary["rejected"], summary["tokens_seen"]) == (1, 2, 1)
    assert summary["lightest"] == summary["heaviest"] == {"dog": pytest.approx(lucene(1, 1))}


def test_smoothed_with_a_folder_or_a_table(corpus: Path, tmp_path: Path) -> None:
    prior = token_weights.load(DEFAULT / "idf.json")
    own = {"the": lucene(2, 3), "oven": lucene(0, 3)}
    expected = token_weights.smoothed(own, 3, prior, [])
    for given in (DEFAULT, DEFAULT / "idf.json"):
        assert run(corpus, "-o", tmp_path / "idf.json", "--smooth-with", given).exit_code == 0
        weights = token_weights.load(tmp_path / "idf.json")
        assert {token: weights[token] for token in expected} == pytest.approx(expected)
        assert weights["[CLS]"] == 0
        assert len(weights) == 30_522


def test_a_table_with_another_vocabulary_cannot_smooth(corpus: Path, tmp_path: Path, tiny: Bundle) -> None:
    result = run(corpus, "-o", tmp_path / "idf.json", "--smooth-with", tiny.path)
    assert isinstance(result.exception, BundleError)
    assert "vocabulary tokens have no weight" in str(result.exception)
    assert not (tmp_path / "idf.json").exists()


def test_any_tokenizer(corpus: Path, tmp_path: Path, tiny: Bundle, checkpoint_folder: object) -> None:
    tables = []
    for source in (tiny.path, tiny.path / "tokenizer.json", checkpoint_folder("router")):  # type: ignore[operator]
        assert run(corpus, "-o", tmp_path / "idf.json", "--tokenizer", source).exit_code == 0
        tables.append(token_weights.load(tmp_path / "idf.json"))
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) == 311
    assert tables[0]["the"] == pytest.approx(lucene(2, 3))


def test_long_documents_are_counted_to_their_end(tmp_path: Path, tiny: Bundle) -> None:
    (tmp_path / "c.jsonl").write_text(json.dumps({"_id": "1", "text": "dog " * 500 + "cat"}) + "\n")
    run(tmp_path / "c.jsonl", "-o", tmp_path / "idf.json", "--tokenizer", tiny.path)  # cuts at 64 tokens
    weights = token_weights.load(tmp_path / "idf.json")
    assert weights["cat"] == weights["dog"] < weights["oven"]


@pytest.mark.parametrize("source", ["nowhere", "{folder}", "{folder}/corpus.jsonl"])
def test_no_tokenizer(corpus: Path, tmp_path: Path, source: str) -> None:
    result = run(corpus, "-o", tmp_path / "idf.json", "--tokenizer", source.format(folder=tmp_path))
    assert isinstance(result.exception, BundleError)
    assert [file.name for file in tmp_path.iterdir()] == ["corpus.jsonl"]


def test_a_failure_leaves_the_former_table(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "idf.json").write_text("{}")
    corpus.write_text("nothing\n" * 30)
    result = run(corpus, "-o", tmp_path / "idf.json")
    assert isinstance(result.exception, InputError)
    assert "no document with text in title, text" in str(result.exception)
    assert "not counted: 20 more lines" in result.stderr
    assert (tmp_path / "idf.json").read_text() == "{}"
    result = run(corpus, "-o", tmp_path / "no" / "idf.json")
    assert "its folder does not exist" in str(result.exception)


def test_the_sample(tmp_path: Path) -> None:
    assert run(SAMPLE, "-o", tmp_path / "idf.json").exit_code == 0
    weights = token_weights.load(tmp_path / "idf.json")
    corpus = [json.loads(line) for line in (SAMPLE / "corpus.jsonl").read_text().splitlines()]
    for word in ("kitchen", "water", "insurance"):
        frequency = sum(word in re.findall(r"\w+", f"{d['title']} {d['text']}".lower()) for d in corpus)
        assert frequency > 1
        assert weights[word] == pytest.approx(lucene(frequency, 220))


def test_counting_needs_no_torch_and_no_numpy(corpus: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from opensearch_lsr.cli.idf import idf\n"
        f"idf([{str(corpus)!r}, '-o', {str(tmp_path / 'idf.json')!r}, '--json'], standalone_mode=False)\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
