"""Collections: BEIR folders, ir_datasets, data sets of the Hub; only what is judged is asked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.collection import Document, read

CORPUS = [{"_id": "1", "title": " Taps ", "text": "They drip."}, {"_id": "2", "text": "Tax."}, {"_id": "3", "text": ""}]
QUERIES = [{"_id": "q1", "text": "leak"}, {"_id": "unjudged", "text": "x"}, {"_id": "q2", "text": "levy"}]
JUDGMENTS = "query-id\tcorpus-id\tscore\nq2\t2\t1\nq1\t1\t2\nq1\t2\t0\n"
DOCUMENTS = [Document("1", "Taps", "They drip."), Document("2", "", "Tax."), Document("3", "", "")]


def jsonl(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def beir(folder: Path, judgments: str = JUDGMENTS, gz: bool = False) -> Path:
    files = {"corpus.jsonl": jsonl(CORPUS), "queries.jsonl": jsonl(QUERIES), "qrels/test.tsv": judgments}
    (folder / "qrels").mkdir(parents=True)
    for name, text in files.items():
        if gz:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("gz", [False, True])
def test_a_beir_folder(tmp_path: Path, gz: bool) -> None:
    found = read(beir(tmp_path / "taps", gz=gz))
    assert (found.name, found.split) == ("taps", "test")
    assert found.documents == DOCUMENTS  # the one without text stays: it is part of the corpus
    assert found.documents[0].whole == "Taps They drip."
    assert list(found.queries.items()) == [("q1", "leak"), ("q2", "levy")]
    assert found.qrels == {"q1": {"1": 2, "2": 0}, "q2": {"2": 1}}
    assert list(found.qrels) == ["q1", "q2"]
    assert (found.judgments, found.judged) == (3, {"1", "2"})


@pytest.mark.parametrize(
    ("judgments", "message"),
    [
        (JUDGMENTS + "q3\t1\t1\nq4\t1\t1\n", r"split test judges query 'q3', which is not among .* \(2 such\)"),
        ("query-id\tcorpus-id\tscore\nq1\t7\t1\n", r"no document that split test judges is in the corpus \(3 doc"),
        ("query-id\tcorpus-id\tscore\n", "no document that split test judges"),
        (JUDGMENTS + "q1 3 1\n", r"test.tsv:5: not 'query-id"),
    ],
)
def test_judgments_that_cannot_be_used(tmp_path: Path, judgments: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(beir(tmp_path / "taps", judgments))


def test_missing_folders_and_splits_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder; give a BEIR folder, ir_datasets:ID or hub:"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="dev.tsv: no such split; this folder has: test"):
        read(beir(tmp_path / "taps"), "dev")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    folder = beir(tmp_path / "taps", gz=True)
    queries = folder / "queries.jsonl.gz"
    queries.write_bytes(queries.read_bytes()[:-12])
    with pytest.raises(InputError, match="queries.jsonl.gz: cannot be read"):
        read(folder)
    with (beir(tmp_path / "more") / "corpus.jsonl").open("a") as corpus:
        corpus.write('{"_id": "1", "text": "again"}\n')
    with pytest.raises(InputError, match="corpus.jsonl:4: duplicate id '1'"):
        read(tmp_path / "more")


@pytest.mark.parametrize("given", ["ir_datasets:lsr/taps/test", "ir_datasets:lsr/taps"])
def test_ir_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    ir_datasets = pytest.importorskip("ir_datasets")
    (tmp_path / "docs.tsv").write_text("1\tThey drip.\n2\tTax.\n")
    (tmp_path / "queries.tsv").write_text("q1\tleak\nunjudged\tx\n")
    (tmp_path / "qrels").write_text("q1 0 1 2\n")
    files = {"docs_tsv": str(tmp_path / "docs.tsv"), "queries_tsv": str(tmp_path / "queries.tsv")}
    whole = ir_datasets.create_dataset(**files, qrels_trec=str(tmp_path / "qrels"))
    registered = {"lsr/taps/test": whole, "lsr/taps": ir_datasets.create_dataset(**files)}
    monkeypatch.setattr(ir_datasets.registry, "_registered", registered)
    found = read(given)
    assert (found.name, found.split) == ("lsr-taps-test", "test")
    assert found.documents == [Document("1", "", "They drip."), Document("2", "", "Tax.")]
    assert (found.queries, found.qrels) == ({"q1": "leak"}, {"q1": {"1": 2}})
    with pytest.raises(InputError, match="ir_datasets:lsr/drains.*: not in the catalogue, or without judgments"):
        read("ir_datasets:lsr/drains")


@pytest.mark.parametrize("beside", [False, True])
def test_a_data_set_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool) -> None:
    """As BEIR's are laid out, judgments within (``mteb/…``) or in a data set beside (``BeIR/…-qrels``)."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder, judged = tmp_path / "taps", tmp_path / ("taps-qrels" if beside else "taps")
    subsets = {"corpus": jsonl(CORPUS), "queries": jsonl(QUERIES)}
    rows = [
        dict(zip(("query-id", "corpus-id", "score"), line.split("\t"), strict=True))
        for line in JUDGMENTS.splitlines()[1:]
    ]
    for place in {folder, judged}:
        place.mkdir()
    for name, text in subsets.items():
        (folder / f"{name}.jsonl").write_text(text)
    (judged / "test.jsonl").write_text(jsonl(rows))
    configs = [f"- config_name: {name}\n  data_files: {name}.jsonl" for name in subsets]
    own = "- config_name: default\n  data_files:\n  - split: test\n    path: test.jsonl"
    (judged / "README.md").write_text(f"---\nconfigs:\n{own}\n---\n")
    (folder / "README.md").write_text("---\nconfigs:\n" + "\n".join(configs + [own] * (not beside)) + "\n---\n")
    found = read(f"hub:{folder}")
    assert found.documents == DOCUMENTS
    assert found.queries == {"q1": "leak", "q2": "levy"}
    assert found.qrels == {"q1": {"1": 2, "2": 0}, "q2": {"2": 1}}
    with pytest.raises(InputError, match="cannot be read as a BEIR data set, split dev"):
        read(f"hub:{folder}", "dev")


def test_scifact(collection: Callable[[str], Path]) -> None:
    found = read(collection("scifact"))
    assert (len(found.documents), len(found.queries), found.judgments) == (5183, 300, 339)
    assert found.judged < {document.id for document in found.documents}
