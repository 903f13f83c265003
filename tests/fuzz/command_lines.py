"""Command lines for every command, from what click knows of it: good values, nasty ones, and what is left out.

A good value is a file that :mod:`test_fuzz_cli` makes. What a case writes stays in its folder, no case starts a node,
and none reaches a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from nasty import texts

from opensearch_lsr.cli.main import COMMANDS, cli

Path = tuple[str, ...]
NUMBERS = ["0", "1", "-1", "7", "1.5", "-0.5", "nan", "inf", "-inf", "1e999", "9" * 30, "9" * 5000, "0x10", "١٢", ""]
GOOD = {
    "a": ["results"],
    "alias": ["articles"],
    "b": ["results", "results/results.json"],
    "bundle": ["bundle"],
    "ca_certs": ["corpus.jsonl"],
    "checkpoint": ["bundle"],
    "collections": ["beir"],
    "corpus": ["corpus.jsonl", "beir", "-"],
    "data": ["pairs.jsonl", "beir"],
    "depth": ["1-2", "2-200"],
    "documents": ["corpus.jsonl"],
    "fields": ["text", "title"],
    "file": ["corpus.jsonl", "-"],
    "folder": ["results"],
    "grow": ["10k,1m", "100"],
    "mapping": ["mapping.json"],
    "prune": ["max_ratio=0.1", "top_k=5"],
    "qrels": ["beir/qrels/test.tsv"],
    "queries": ["beir/queries.jsonl"],
    "recipe": ["inference-free", "recipe.toml"],
    "results": ["results"],
    "searcher": ["bm25", "bundle"],
    "settings": ["seed=3", "latency.rounds=2", "training.steps=1"],
    "smooth_with": ["bundle/idf.json", "bundle"],
    "source": ["bundle"],
    "suite": ["suite.toml"],
    "text": ["water tap"],
    "url": ["http://127.0.0.1:1", "https://127.0.0.1:1", "127.0.0.1", "http://a:b@c", "http://[", "http://x:99999"],
}
WRITTEN = ("output", "rejects", "cache")
COMMON = ["--json", "--verbose", "--help", "--nothing", "--"]


def every(command: click.Command = cli, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    """Each command with its name, groups included."""
    yield path, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None, name
                yield from every(found, (*path, name))


EVERY = dict(every())
assert {path[0] for path in EVERY if path} == set(COMMANDS)


def argument(text: str) -> str:
    """What a process can be given: no NUL, and bytes that are no UTF-8 as Python shows them."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _inside(text: str) -> str:
    """A name to write to that leads nowhere else."""
    return "new/" + text.replace("..", "") if len(text) % 2 else "new-" + text.replace("/", "_")


def _values(option: click.Parameter) -> SearchStrategy[str]:
    name = str(option.name)
    nasty = st.one_of(texts(20).map(argument), st.sampled_from([*NUMBERS, "\udcff\udcfe"]))
    if name in WRITTEN:
        return st.one_of(st.just("new"), nasty.map(_inside))
    if isinstance(option.type, click.Choice):
        good = [str(choice) for choice in option.type.choices]
    else:
        good = GOOD.get(name, NUMBERS)
    return st.one_of(st.sampled_from(good), st.sampled_from(good), nasty)


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """The arguments of one call."""
    path = draw(st.sampled_from(list(EVERY)))
    given = [*path]
    for option in EVERY[path].params:
        most = 2 if option.multiple or option.nargs == -1 else 1
        wanted = option.required or isinstance(option, click.Argument)
        present = draw(st.integers(0, 9)) > 0 if wanted else draw(st.integers(0, 3)) == 0
        for _ in range(draw(st.integers(1, most)) if present else 0):
            if isinstance(option, click.Argument):
                given.append(draw(_values(option)))
            elif option.is_flag:
                given.append(draw(st.sampled_from([*option.opts, *option.secondary_opts])))
            else:
                given += [draw(st.sampled_from(option.opts)), draw(_values(option))]
    if not draw(st.integers(0, 5)):
        given.append(draw(st.one_of(st.sampled_from(COMMON), texts(10).map(argument))))
    if path == ("quickstart",):
        given += ["--name", "no node"]
    if path == ("cluster", "up"):
        given += ["--version", "0.0"]
    return given
