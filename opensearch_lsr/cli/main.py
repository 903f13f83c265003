"""The command group. Commands load on use, so that ``--help`` stays fast."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

import click

from opensearch_lsr.errors import LSRError

COMMANDS = {  # name → one line for --help, so that no command need be loaded to list them
    "quickstart": "From nothing to a measured semantic search on this machine.",
    "cluster": "Run a real OpenSearch here, without Docker or Java.",
    "train": "Train a document encoder by a recipe.",
    "idf": "Count a corpus' token weights (idf.json).",
    "mine": "Find hard negatives for training data.",
    "score": "Score training data with a teacher.",
    "export": "Turn a trained checkpoint into a bundle.",
    "deploy": "Put an encoder behind an alias of a cluster.",
    "status": "Show what stands behind an alias.",
    "doctor": "Judge a deployment's health, and say what to do.",
    "index": "Load documents, encoded by the cluster or here.",
    "search": "Search an alias.",
    "expand": "Show a text's tokens and weights.",
    "explain": "Show why a document matches a query.",
    "benchmark": "Compare with BM25: relevance, latency, cost.",
    "migrate": "Change the encoder behind an alias, without downtime.",
    "rollback": "Undo a migration, without downtime.",
    "cleanup": "Remove what migrations left and nothing uses.",
    "undeploy": "Remove exactly what deploy made.",
}


class LazyGroup(click.Group):
    """Finds commands in ``opensearch_lsr.cli.<name>``, as an attribute of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"opensearch_lsr.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from opensearch_lsr import __version__

        click.echo(f"opensearch-lsr {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
def cli(verbose: bool) -> None:
    """Inference-free learned sparse retrieval for OpenSearch.

    A document encoder weighs vocabulary tokens at index time; a query costs a tokenizer lookup.

    \b
    Example:
      opensearch-lsr cluster up
      opensearch-lsr deploy default --alias articles --field title --field text
      opensearch-lsr index corpus.jsonl --alias articles
      opensearch-lsr search "why do brakes squeak" --alias articles
    """


def main() -> None:
    """Run the command; an error a user can cause is one line on stderr and exit code 1."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that are no text here are shown all the same
    try:
        cli()
    except LSRError as error:
        if "-v" in sys.argv[1:2] or "--verbose" in sys.argv[1:2]:
            raise
        _fail(error)
    except OSError as error:  # a full disk, a folder that cannot be written
        if error.filename is None:
            raise
        _fail(LSRError(f"{error.filename}: {error.strerror}"))


def _fail(error: LSRError) -> NoReturn:
    click.echo(click.style("error: ", fg="red", bold=True) + str(error), err=True)
    sys.exit(1)
