"""Collect the default encoder's training texts: passages of English prose from the repositories in `sources.toml`.

    python collect.py MIRRORS OUT [--only NAME ...]

MIRRORS holds git repositories as `owner+name/repo`, `owner+name`, `owner/name` or `name`, bare or not; each is read
at the commit that `sources.toml` pins. OUT/<source>/corpus.jsonl gets lines {"_id", "title", "text"} of 40 to 350
words, OUT/<source>/SOURCE.json where they come from: the same bytes each time, and no paragraph twice.
"""

import argparse
import html
import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

MIN_WORDS, ENOUGH_WORDS, MAX_WORDS = 40, 100, 350
LONG_FORMULA = 12  # characters; a longer one becomes NUL, which drops its paragraph
COMMON = frozenset(["the", "of", "and", "to", "a", "in", "is", "that", "for", "it", "as", "are", "by", "with", "on"])
NO_PROSE_CLASS = re.compile(
    r"exercise|question|problem|quiz|reference|further|homework|practice|equation|key-term|test"
)
NO_PROSE_HEADING = re.compile(
    r"\W*(?:[\w&'’, -]*(?:questions|exercises|references|homework|quiz|bibliography|problems)|key (?:terms|equations)"
    r"|glossary|preface|(?:table of )?contents|license|copyright.*|changelog|see also|next steps|related.*|footnotes"
    r"|acknowledge?ments|credits|further .*|suggested .*|appendix.*|transcriber.*|index|link to learning|resources"
    r"|critical thinking|interactive .*|answers?|contributors|learning objectives|solutions?)\W*",
    re.I,
)
Section = tuple[str, list[str]]  # title, paragraphs


def find_repository(mirrors: Path, name: str) -> Path:
    for base in (mirrors / name.replace("/", "+"), mirrors / name, mirrors / name.split("/")[1]):
        for path in (base / "repo", base / "repo" / ".git", base):
            if (path / "HEAD").exists() or (path / ".git").exists():
                return path
    raise SystemExit(f"{mirrors}: no repository {name}; clone https://github.com/{name} into it")


def read_files(repository: Path, source: dict[str, Any]) -> Iterator[str]:
    """The text of each file of the commit that matches, in the order of the paths."""
    git, commit, without = ["git", "-C", str(repository)], source["commit"], source.get("without", [])
    listed = subprocess.run([*git, "ls-tree", "-r", "-z", "--name-only", commit], check=True, capture_output=True)
    paths = sorted(listed.stdout.decode().split("\0"))
    paths = [path for path in paths if any(fnmatch(path, glob) for glob in source["files"])]
    paths = [path for path in paths if not any(fnmatch(path, glob) for glob in without)][:: source.get("every", 1)]
    asked = "".join(f"{commit}:{path}\n" for path in paths).encode()
    answer = subprocess.run([*git, "cat-file", "--batch"], input=asked, check=True, capture_output=True).stdout
    at = 0
    for path in paths:
        start = answer.index(b"\n", at) + 1
        if not (size := answer[at:start].split()[-1]).isdigit():  # a mirror can lack its largest files
            raise SystemExit(f"{repository}: {path} is missing at {commit}; clone the repository again")
        at = start + int(size) + 1
        yield answer[start : at - 1].decode("utf-8", "replace").replace("\r", "")


def tidy(text: str) -> str:
    text = re.sub(r"\((?:see|the figure|the table|Refs?\.|\d|[,;\s])*\)", "", " ".join(html.unescape(text).split()))
    return re.sub(r"\s+([,;:)]|\.(?!\.))(?=\s|$)", r"\1", text).strip()


def is_prose(text: str) -> bool:
    words = text.split()
    alphabetic = sum(re.fullmatch(r"\W*[^\W\d_]+(?:[-'’][^\W\d_]+)*\W*", word) is not None for word in words)
    common = sum(word.lower() in COMMON for word in words)
    return alphabetic >= 0.8 * len(words) and common >= 0.14 * len(words) and re.search(r"[.?!]", text) is not None


def passages(paragraphs: list[str]) -> list[str]:
    """Whole paragraphs (of a longest one its sentences), joined until there are enough words; a short rest goes out."""
    done, rest = list[str](), ""
    for whole in paragraphs:
        sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z“\"])", whole) if len(whole.split()) > MAX_WORDS else [whole]
        for piece in sentences:
            if len(f"{rest} {piece}".split()) > MAX_WORDS:
                done, rest = [*done, rest], ""
            rest = f"{rest} {piece}".strip()
            if len(rest.split()) >= ENOUGH_WORDS:
                done, rest = [*done, rest], ""
    if done and 0 < len(rest.split()) < MIN_WORDS and len(f"{done[-1]} {rest}".split()) <= MAX_WORDS:
        done[-1], rest = f"{done[-1]} {rest}", ""
    return [text for text in [*done, rest] if MIN_WORDS <= len(text.split()) <= MAX_WORDS and is_prose(text)]


def formula(text: str) -> str:
    text = "".join(re.sub(r"<annotation.*?</annotation>|<[^>]+>", "", text, flags=re.S).split())
    return text if len(text) <= LONG_FORMULA else "\0"


def flat(element: ET.Element) -> str:
    """The text of a CNXML element, without its figures, notes and code; a reference to a figure is named."""
    name, text = element.tag.rpartition("}")[2], element.text or ""
    text += "".join(flat(child) + (" " if name == "list" else "") + (child.tail or "") for child in element)
    if name == "math":
        return formula(text)
    if name == "link" and not text.strip():
        return "the table" if "tab" in element.get("target-id", "").lower() else "the figure"
    return "" if name in {"figure", "table", "media", "note", "code", "footnote", "equation", "exercise"} else text


def cnxml(text: str, book: str) -> Iterator[Section]:
    """Modules of OpenStax and Connexions, https://github.com/openstax/cnxml."""

    def walk(element: ET.Element, heading: str) -> Iterator[Section]:
        paragraphs: list[str] = []
        for child in element:
            name = child.tag.rpartition("}")[2]
            if name in {"para", "list"}:
                paragraphs.append(tidy(flat(child)))
            elif name in {"section", "content", "note"} and not NO_PROSE_CLASS.search(child.get("class", "")):
                inner = next((tidy(flat(part)) for part in child if part.tag.endswith("}title")), "")
                yield from walk(child, inner or heading)
        yield heading, paragraphs

    root = ET.fromstring(text)
    page = next((tidy(flat(element)) for element in root if element.tag.endswith("}title")), "")
    yield from titled(book, page, walk(root, ""))


def titled(book: str, page: str, sections: Iterator[Section]) -> Iterator[Section]:
    """With titles of "page: heading"; without what a page's or a section's title says is no prose."""
    page = f"{book}: {page}".rstrip(": ") if page.startswith("Introduction") or not page else page
    for heading, paragraphs in sections:
        if not NO_PROSE_HEADING.fullmatch(heading) and not NO_PROSE_HEADING.fullmatch(page):
            yield (f"{page}: {heading}" if heading.lower() not in {"", page.lower()} else page), paragraphs


DIV = re.compile(r"<div\b([^>]*)>((?:(?!<div\b).)*?)</div>", re.S)  # an innermost one
DROPPED_DIV = re.compile(r'data-type="(abstract|exercise|problem|solution|equation|glossary)"')
CLEANINGS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"(?s)<!--.*?-->|<(table|pre|cnx-pi|style|script|svg|figure)\b.*?</\1>", " "),
    (r"(?ms)^ {0,8}(```+|~~~+).*?^ {0,8}\1", "\n"),
    (r"(?s)<math\b.*?</math>\s*", lambda match: f"{formula(match[0])} "),
    (r"\{[a-z:]+\}`([^`<]*)(<[^`>]*>)?`", r"\1"),
    (r"`[^`\n]+`", lambda match: match[0].strip("`").replace("<", "&lt;")),
    (r'!\[(?:[^\]\\]|\\.)*\]\((?:"(?:[^"\\]|\\.)*"|[^()"])*\)|\[\^[^\]]*\]:?', ""),
    (r"\[\\\[link\\\]\]\(#[^)]*\)", "the figure"),
    (r"\[((?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1"),
    (r"\$\$?[^$\n]{13,}\$\$?", "\0"),
    (r"(?s)\{%.*?%\}|\{\{.*?\}\}|\{:.*?\}|\{#.*?\}|</?[a-zA-Z][^>]*>", ""),
    (r"\*(?=\S)|(?<=\S)\*|__|(?<!\w)_(?=\w)|(?<=[\w.,!?])_(?!\w)", ""),
    (r"\\([\\`*_{}\[\]()#+.!|<>:-])", r"\1"),
]
NO_PROSE_LINE = re.compile(r"\s*(\||:::|\{|=+$|-+$|\+[-=]|\(.*\)=$|[⏲🍳🍽🛒])|.* \| ")


def markdown(text: str, book: str) -> Iterator[Section]:
    """Markdown with its dialects' extras (front matter, Liquid, kramdown, MyST); tables and code are left out."""
    front = re.match(r"---\s*\n(.*?)\n---\s*\n", text, re.S)
    named = re.search(r"^title:\s*[\"']?(.*?)[\"']?\s*$", front[1] if front else "", re.M)
    text, changed = text[front.end() :] if front else text, 1
    while changed:
        text, changed = DIV.subn(lambda div: "" if DROPPED_DIV.search(div[1]) else div[2], text)
    for pattern, instead in CLEANINGS:
        text = re.sub(pattern, instead, text)
    sections: list[Section] = [("", [])]
    for block in re.split(r"\n\s*\n|\n(?=#{1,6} )", text.lstrip()):
        mark = re.match(r"\s*#{1,6}\s+(.*?)#*\s*(?:\n|$)", block)
        if mark:
            sections.append((tidy(mark[1]), []))
        lines = (block[mark.end() :] if mark else block).splitlines()
        lines = [re.sub(r"^\s*([-*+>]|\d+[.)])\s+", "", line) for line in lines if not NO_PROSE_LINE.match(line)]
        sections[-1][1].append(tidy(" ".join(lines)))
    page = tidy(named[1]) if named else next((heading for heading, _ in sections if heading), "")
    yield from titled(book, page, iter(sections))


def medquad(text: str, book: str) -> Iterator[Section]:
    root = ET.fromstring(text)
    for pair in root.iter("QAPair"):
        kind = "".join(question.get("qtype", "") for question in pair.iter("Question"))
        answer = [tidy(block) for block in re.split(r"\n\s*\n", pair.findtext("Answer") or "")]
        yield f"{tidy(root.findtext('Focus') or book)}: {kind}", answer


def factbook(text: str, book: str) -> Iterator[Section]:
    def leaves(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [leaf for inner in value.values() for leaf in leaves(inner)]
        return [tidy(re.sub(r"<[^>]+>", " ", value))] if value else []

    country = json.loads(text)
    names = country.get("Government", {}).get("Country name", {})
    name = [*leaves(names.get("conventional short form")), *leaves(names.get("conventional long form")), book]
    for field, value in (item for chapter in country.values() for item in chapter.items()):
        title = f"{next(short for short in name if short != 'none')}: {field}"
        yield title, [leaf for leaf in leaves(value) if leaf.endswith(".") or len(leaf.split()) >= MIN_WORDS]


def gutenberg(text: str, book: str) -> Iterator[Section]:
    """Plain text of Project Gutenberg: its own header and licence go, a short line in capitals is a heading."""
    text = re.split(r"\*\*\* ?START OF.*?\*\*\*", text, maxsplit=1, flags=re.S)[-1]
    text = re.split(r"\*\*\* ?END OF|\nEnd of (?:the )?Project Gutenberg", text, maxsplit=1)[0]
    sections: list[Section] = [("", [])]
    for block in re.split(r"\n\s*\n", text):
        line = tidy(re.sub(r"_|\[(?:Illustration|Footnote|Sidenote)[^\]]*\]|\[\d+\]|\{\d+\}", "", block))
        if line == line.upper() and len(line.split()) <= 10 and re.search(r"[A-Z]{3}", line):
            number = r"^(?:(?:chapter|part|book|no)\b\W*)?(?:[IVXLC]+|\d+)\b[.:]?\s*"
            sections.append((re.sub(number, "", line, flags=re.I).strip("-. ").capitalize(), []))
        elif not re.search(r"(?:^|\n)\s{4,}\S", block) and "Gutenberg" not in block:  # indented: verse, tables
            sections[-1][1].append(line)
    yield from titled(book, book, iter(sections))


PARSERS = {parse.__name__: parse for parse in (cnxml, markdown, medquad, factbook, gutenberg)}


def collect(mirrors: Path, out: Path, name: str, source: dict[str, Any], seen: set[str]) -> int:
    """Writes one source; returns the number of its passages."""
    lines: list[str] = []
    drop = re.compile("\0|https?://|" + source.get("drop", "\0"))
    for text in read_files(find_repository(mirrors, source["repository"]), source):
        for title, paragraphs in PARSERS[source["markup"]](text, source.get("book", name)):
            fresh = [p for p in dict.fromkeys(paragraphs) if p and p.lower() not in seen and not drop.search(p)]
            seen.update(p.lower() for p in fresh if len(p.split()) >= 12)
            for passage in passages(fresh):
                line = {"_id": f"{name}-{len(lines)}", "title": title, "text": passage}
                lines += [json.dumps(line, ensure_ascii=False) + "\n"] if f"\0{passage}" not in seen else []
                seen.add(f"\0{passage}")
    (out / name).mkdir(parents=True, exist_ok=True)
    (out / name / "corpus.jsonl").write_text("".join(lines), encoding="utf-8")
    (out / name / "SOURCE.json").write_text(json.dumps(source | {"passages": len(lines)}, indent=2) + "\n")
    return len(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("mirrors", type=Path, help="folder of git repositories")
    parser.add_argument("out", type=Path, help="folder to write the sources' folders into")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these sources, not all")
    options = parser.parse_args()
    sources = tomllib.loads(Path(__file__).with_name("sources.toml").read_text(encoding="utf-8"))
    seen, total = set[str](), 0
    print(f"| {'source':32} | passages | licence            |\n|{'-' * 34}|---------:|{'-' * 20}|")
    for name in [name for name in sources if name in (options.only or sources)]:
        total += (count := collect(options.mirrors, options.out, name, sources[name], seen))
        print(f"| {name:32} | {count:8} | {sources[name]['license']:18} |", flush=True)
    print(f"| {'all':32} | {total:8} | {'':18} |")


if __name__ == "__main__":
    main()
