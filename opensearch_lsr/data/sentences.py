"""Text → headings and sentences, by rules: enough for pseudo-queries, in languages that put spaces between words.

Full-width stops end a sentence, too, though the words within are not told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_STOP = re.compile(r"""([.!?…]+)["'”’)\]]*\s+|[。！？]+["”’」』）]*\s*""")
_BLOCK_END = re.compile(r"""\n[ \t\r]*\n|\"{3}|'{3}""")  # a docstring is a block of its own
_MARKED_HEADING = re.compile(r"#{1,6}[ \t]+(.+?)[ \t#]*$")
_UNDERLINE = re.compile(r"(=|-|~){3,}\s*$")
_CODE = re.compile(r"[=(){}<>;_\\|]")
_INITIALS = re.compile(r"[^\W\d_](\.[^\W\d_])*$")  # J  U.S  e.g
_ABBREVIATIONS = """
al approx ca cf ch col corp dept dr ed eds eq eqs est fig figs gen gov hon inc jr lt ltd mr mrs ms mt pp prof ref refs
resp rev sec sr st tab viz vol vols vs jan feb mar apr jun jul aug sep sept oct nov dec
"""
_BEFORE_ANYTHING = frozenset(_ABBREVIATIONS.split())
_BEFORE_NUMBERS = frozenset(["no", "nos", "art", "op"])
MAX_HEADING_WORDS = 12


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """Cut a text into headings and sentences, in order.

    A heading is a Markdown one, an underlined line, or a short line by itself that opens like one and ends like one.
    Lines of one paragraph belong together: texts are often wrapped.

    Yields:
        ``(part, is_heading)``, white space within a part made single spaces.
    """
    blocks = [block for block in _BLOCK_END.split(text) if block.strip()]
    for number, block in enumerate(blocks):
        lines = [line for line in block.splitlines() if line.strip()]
        alone = len(lines) == 1 and number + 1 < len(blocks)
        paragraph: list[str] = []
        for line in lines:
            marked = _MARKED_HEADING.match(line)
            underlined = len(paragraph) == 1 and _UNDERLINE.match(line)
            if not (marked or underlined):
                paragraph.append(line)
                continue
            yield from ((sentence, False) for sentence in split("" if underlined else " ".join(paragraph)))
            yield (" ".join((marked[1] if marked else paragraph[0]).split()), True)
            paragraph = []
        if alone and paragraph and _reads_as_heading(paragraph[0]):
            yield " ".join(paragraph[0].split()), True
        else:
            yield from ((sentence, False) for sentence in split(" ".join(paragraph)))


def split(paragraph: str) -> Iterator[str]:
    """Cut a paragraph into sentences; abbreviations (e.g., Dr., Fig. 2) and initials do not end one."""
    text = " ".join(paragraph.split())
    caseless = text == text.lower()
    start = 0
    for stop in _STOP.finditer(text):
        if _ends(text, start, stop, caseless):
            yield text[start : stop.end()].rstrip()
            start = stop.end()
    if start < len(text):
        yield text[start:]


def _ends(text: str, start: int, stop: re.Match[str], caseless: bool) -> bool:
    following = text[stop.end() : stop.end() + 1]
    before = text[start : stop.start()]
    if not stop[1] or not following or before.endswith(" "):  # tokenized text: "a word . the next"
        return bool(before.strip())
    if following.islower() and not caseless:
        return False
    word = before.rsplit(" ", 1)[-1].lstrip("(['\"“‘").lower()
    if stop[1] != ".":
        return True
    if word in _BEFORE_NUMBERS:
        return not following.isdigit()
    return word not in _BEFORE_ANYTHING and not _INITIALS.match(word)


def _reads_as_heading(line: str) -> bool:
    words = line.split()
    return (
        len(words) <= MAX_HEADING_WORDS
        and not line[0].isspace()  # indented: code, or a list
        and not words[0][0].islower()
        and words[0][0].isalnum()
        and not line.rstrip().endswith((".", "!", ":", ";", ",", "…", "。"))
        and not _CODE.search(line)
    )
