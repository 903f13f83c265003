"""Write docs/cli.md from ``--help``; a test compares the two, so the page cannot drift."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from opensearch_lsr.cli.main import cli

PAGE = Path(__file__).with_name("cli.md")
HEAD = "# Commands\n\nWritten by `make docs` from `--help`.\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_sections(cli, "opensearch-lsr", None))


def _sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    width = {"terminal_width": 100, "max_content_width": 100}
    context = click.Context(command, info_name=name, parent=parent, **width, **command.context_settings)
    yield f"\n## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _sections(found, child, context)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
