"""The query-side table: complete or refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_lsr import token_weights
from opensearch_lsr.errors import BundleError

VOCABULARY, SPECIALS = ["[CLS]", "a", "b"], ["[CLS]"]
GOOD = {"[CLS]": 0.0, "a": 1.5, "b": 0.0}


def test_a_full_table_is_accepted() -> None:
    assert token_weights.check(GOOD, VOCABULARY, SPECIALS, "idf.json") is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"[CLS]": 0.0, "a": 1.0}, r"idf.json: 1 of 3 vocabulary tokens have no weight \(first: 'b'\)"),
        ({**GOOD, "c": 1.0}, "'c' is not in the tokenizer's vocabulary"),
        ({**GOOD, "a": -1}, "token 'a' weighs -1; weights are numbers from 0 to 64"),
        ({**GOOD, "a": 64.1}, "token 'a' weighs 64.1"),
        ({**GOOD, "a": math.nan}, "token 'a' weighs nan"),
        ({**GOOD, "a": "1"}, "token 'a' weighs '1'"),
        ({**GOOD, "[CLS]": 1.0}, "special tokens weigh 0"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: dict[str, float], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        token_weights.check(table, VOCABULARY, SPECIALS, "idf.json")


def test_save_and_load(tmp_path: Path) -> None:
    token_weights.save(GOOD, tmp_path / "idf.json")
    assert token_weights.load(tmp_path / "idf.json") == GOOD


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[1]", "holds list")])
def test_a_damaged_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "idf.json").write_text(text)
    with pytest.raises(BundleError, match=f"idf.json: {message}"):
        token_weights.load(tmp_path / "idf.json")


def test_idf_of_a_corpus_by_hand() -> None:
    documents = [["a", "a", "b"], ["a"], ["[CLS]"]]
    idf = token_weights.from_corpus(iter(documents), VOCABULARY, SPECIALS)
    assert idf == pytest.approx({"[CLS]": 0.0, "a": math.log(1 + 1.5 / 2.5), "b": math.log(1 + 2.5 / 1.5)})


def test_smoothed_as_if_counted_over_more_documents() -> None:
    """Of 4 documents 2 hold a, none b; of 1,000 others 10 % and 1 %."""
    idf = {"[CLS]": 0.0, "a": math.log(5 / 2.5), "b": math.log(5 / 0.5)}
    prior = {"[CLS]": 1.0, "a": -math.log(0.1), "b": -math.log(0.01)}
    shares = {"a": (4 * 2.5 / 5 + 1000 * 0.1) / 1004, "b": (4 * 0.5 / 5 + 1000 * 0.01) / 1004}
    expected = {"[CLS]": 0.0} | {token: -math.log(share) for token, share in shares.items()}
    assert token_weights.smoothed(idf, 4, prior, SPECIALS) == pytest.approx(expected)


@given(st.floats(0, 25), st.integers(1, 10**9), st.floats(0, token_weights.MAX_WEIGHT))
def test_a_smoothed_weight_is_between_the_two(own: float, documents: int, prior: float) -> None:
    """So that no table becomes one that OpenSearch refuses."""
    mixed = token_weights.smoothed({"a": own}, documents, {"a": prior}, [])["a"]
    assert min(own, prior) - 1e-9 <= mixed <= max(own, prior) + 1e-9
    assert 0 <= mixed <= token_weights.MAX_WEIGHT


def test_the_digest_ignores_zeros_and_order() -> None:
    assert token_weights.digest({"b": 2.0, "a": 1.0, "z": 0.0}) == token_weights.digest({"a": 1, "b": 2})
    assert token_weights.digest({"a": 1.0}) != token_weights.digest({"a": 1.1})


def test_the_shipped_table_is_the_msmarco_table_without_specials() -> None:
    from opensearch_lsr.bundle import Bundle
    from opensearch_lsr.tokenizer_file import special_tokens

    published = Path(__file__).parents[2] / "shared" / "collections" / "msmarco-idf.bert-uncased.json"
    if not published.is_file():
        pytest.skip("msmarco-idf.bert-uncased.json is not in shared/collections beside the checkout")
    bundle = Bundle.open("default")
    specials = set(special_tokens(bundle.tokenizer))
    table = json.loads(published.read_text())
    differing = {token for token, weight in bundle.weights.items() if weight != pytest.approx(table[token])}
    assert specials <= differing
    assert all(bundle.weights[token] == 0 for token in differing)
    assert all(token in specials or token.startswith("[unused") for token in differing)
