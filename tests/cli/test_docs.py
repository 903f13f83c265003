"""The pages say what the program does."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from opensearch_lsr.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]


def test_the_command_page_is_what_help_prints() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    import write_cli

    assert write_cli.PAGE.read_text(encoding="utf-8") == write_cli.page(), "run: make docs"


def test_the_feature_table_is_what_the_package_checks() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    import feature_table

    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert feature_table.table() in page, "put in: python docs/feature_table.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_summary_and_an_example(name: str) -> None:
    command = cli.get_command(click.Context(cli, **cli.context_settings), name)
    assert command is not None
    assert command.help
    assert f"opensearch-lsr {name}" in command.help.partition("Example:")[2]


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/reliability.md", "pipelines/README.md"]
)
def test_commands_in_the_pages_parse(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for line in re.findall(r"^(?:\$ )?opensearch-lsr (.+)$", text, re.MULTILINE):
        words = shlex.split(line.replace("\\", ""), comments=True)
        command: click.Command | None = cli
        context = click.Context(cli, info_name="opensearch-lsr", **cli.context_settings)
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            command = command.get_command(context, words.pop(0))
        assert command is not None, line
        if "--help" not in words:
            command.make_context("opensearch-lsr", words, resilient_parsing=False)
