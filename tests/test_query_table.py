"""Token weights by id: what a cache may and may not change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from opensearch_lsr import QueryEncoder, query_table
from opensearch_lsr.bundle import TABLE, TOKENIZER, Bundle
from opensearch_lsr.errors import BundleError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own(tiny: Bundle, tmp_path: Path) -> Bundle:
    """A copy of a bundle, to change."""
    return Bundle.open(shutil.copytree(tiny.path, tmp_path / "bundle"))


def weights(bundle: Bundle) -> list[float]:
    return list(query_table.load(bundle, bundle.tokenizer))


def test_every_token_has_its_weight(cache: Path) -> None:
    bundle = Bundle.open("default")
    token = bundle.tokenizer.id_to_token
    assert {token(index): weight for index, weight in enumerate(weights(bundle))} == bundle.weights


def test_ids_may_have_gaps(tiny: Bundle) -> None:
    tokenizer = json.loads(tiny.tokenizer.to_str())
    tokenizer["model"]["vocab"] = {"[UNK]": 0, "tap": 2, "leak": 5}
    tokenizer["added_tokens"] = []
    tokenizer["post_processor"] = None
    table = query_table.by_id(Tokenizer.from_str(json.dumps(tokenizer)), {"tap": 1.5, "leak": 2.5, "other": 9.0})
    assert list(table) == [0, 0, 1.5, 0, 0, 2.5]


def test_the_second_time_nothing_is_parsed(own: Bundle, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = weights(own)
    monkeypatch.setattr(Bundle, "weights", property(lambda _: pytest.fail("parsed again")))
    assert weights(own) == first
    assert QueryEncoder.from_pretrained(str(own.path)).encode("water leak")


def test_a_changed_table_is_not_taken_from_the_cache(own: Bundle, cache: Path) -> None:
    first = weights(own)
    table = json.loads((own.path / TABLE).read_text(encoding="utf-8"))
    word = next(token for token, weight in table.items() if weight)
    (own.path / TABLE).write_text(json.dumps(table | {word: 7.25}), encoding="utf-8")
    second = weights(Bundle.open(own.path))
    assert second != first
    assert second[own.tokenizer.token_to_id(word)] == 7.25
    (own.path / TABLE).write_text(json.dumps(table | {word: -1}), encoding="utf-8")
    with pytest.raises(BundleError, match="weights are numbers from 0 to"):
        weights(Bundle.open(own.path))


@pytest.mark.parametrize("damaged", [b"", b"short", b"\0" * 4096])
def test_a_damaged_cache_is_made_again(own: Bundle, cache: Path, damaged: bytes) -> None:
    first = weights(own)
    (file,) = cache.rglob("*.f64")
    good = file.read_bytes()
    for content in (damaged, good[:-8], good[:-1] + b"\1"):
        file.write_bytes(content)
        assert weights(own) == first
        assert file.read_bytes() == good
    assert list(cache.rglob("*")) == [*file.parents[1::-1], file]


def test_without_a_place_for_a_cache(own: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    first = weights(own)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert weights(own) == first


def test_what_is_wrong_is_told_as_before(own: Bundle, exported: object, cache: Path) -> None:
    (own.path / TABLE).unlink()
    with pytest.raises(BundleError, match=r"idf.json: not found"):
        weights(own)
    with pytest.raises(BundleError, match="is missing"):
        QueryEncoder.from_pretrained(str(own.path))
    siamese = exported("siamese")  # type: ignore[operator]
    with pytest.raises(BundleError, match="bi-encoder"):
        QueryEncoder.from_pretrained(str(siamese.path))
    assert not cache.exists()
    assert (siamese.path / TOKENIZER).is_file()
