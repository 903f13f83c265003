"""Which words of a document are marked as those that matched."""

from __future__ import annotations

import pytest

from opensearch_lsr.evaluation.report.passages import SHOWN_WORDS, Passage, passage


def found(text: str, *tokens: str, title: str = "") -> Passage:
    """The passage where the first token contributes most."""
    scored = [{"token": token, "score": float(len(tokens) - i)} for i, token in enumerate(tokens)]
    return passage({"title": title, "text": text}, scored)


def marks(text: str, *tokens: str) -> list[str]:
    """What is marked."""
    return [piece.text for piece in found(text, *tokens).body if piece.level]


@pytest.mark.parametrize(
    ("text", "tokens", "marked"),
    [
        ("Brakes brake.", ["brake"], ["Brake", "brake"]),
        ("A carpet in the car", ["car"], ["car"]),
        ("phishing, not fishing", ["phi", "##shing"], ["phi", "shing"]),
        ("lining and replacing", ["##ing"], []),
        (
            "neurotransmitter",
            ["ne", "##uro", "##tra", "##ns", "##mit", "##ter"],
            ["ne", "uro", "tra", "ns", "mit", "ter"],
        ),
        ("a biotechnology", ["##technology"], ["technology"]),
        ("Café au lait", ["cafe"], ["Café"]),
        ("Die Straße", ["strasse", "straße"], ["Straße"]),
        ("東京都に住む", ["京"], ["京"]),
        ("hello world", ["▁world", "Ġhello"], ["hello", "world"]),
        ("<b>brake</b>", ["brake"], ["brake"]),
        ("nothing here", ["brake"], []),
        ("", ["brake"], []),
        ("brake", [], []),
    ],
)
def test_marked_words(text: str, tokens: list[str], marked: list[str]) -> None:
    assert marks(text, *tokens) == marked
    assert "".join(piece.text for piece in found(text, *tokens).body) == text


def test_the_strongest_token_of_a_word_is_the_mark() -> None:
    (piece,) = [p for p in found("brakes", "brak", "brake").body if p.level]
    assert (piece.text, piece.level, piece.contribution) == ("brak", 4, 2.0)


def test_levels_follow_contributions() -> None:
    tokens = [{"token": token, "score": score} for token, score in {"a": 10.0, "b": 6.0, "c": 3.0, "d": 0.1}.items()]
    assert [match.level for match in passage({"text": "a b c d"}, tokens).matches] == [4, 3, 2, 1]


def test_tokens_that_the_encoder_added() -> None:
    matches = found("Brakes squeak while lining up", "brake", "repair", "##ing", title="Motorcycle").matches
    assert {match.token: match.in_text for match in matches} == {"brake": True, "repair": False, "##ing": True}
    assert [m.in_text for m in found("Brakes", "motorcycle", title="Motorcycles").matches] == [True]


def test_a_long_text_is_cut_to_where_the_matches_are() -> None:
    words = ["word"] * 1000
    words[700] = "brake"
    body = found(" ".join(words), "brake").body
    shown = "".join(piece.text for piece in body)
    assert "brake" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown.split()) <= SHOWN_WORDS + 3
    assert "".join(piece.text for piece in found(" ".join(words[:500]), "brake").body).startswith("word")


@pytest.mark.parametrize("token", [{}, {"token": None}, {"token": "##"}, {"token": "", "score": "x"}])
def test_damaged_tokens_mark_nothing(token: dict[str, object]) -> None:
    assert not [piece for piece in passage({"text": "brakes squeak"}, [token]).body if piece.level]
