"""``opensearch-lsr cluster``: the embedded OpenSearch."""

from __future__ import annotations

import sys
import time

import click

from opensearch_lsr.cli.options import json_option
from opensearch_lsr.cli.output import emit_json, progress
from opensearch_lsr.local.releases import DEFAULT, RELEASES

name_option = click.option("--name", default="default", show_default=True, help="Which node; several may run.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cluster() -> None:
    """Run a real OpenSearch on this machine: ML Commons, k-NN and neural-search, loopback only.

    \b
    Example:
      opensearch-lsr cluster up
      opensearch-lsr cluster down --wipe
    """


@cluster.command()
@name_option
@click.option(
    "--version", metavar="VERSION", help=f"OpenSearch {', '.join(RELEASES)} [default: its data's, or {DEFAULT}]."
)
@click.option("--upgrade", is_flag=True, help="Take over the data of an older version, for good.")
@click.option("--port", type=click.IntRange(1, 65535), help="HTTP port [default: 9200, or a free one].")
@click.option("--heap", help="Java heap, such as 2g [default: a quarter of the memory, 1 to 4 GiB].")
@click.option("--secure", is_flag=True, help="Behind TLS and a login (2.19.1 only), both made on the spot.")
@json_option
def up(
    name: str, version: str | None, upgrade: bool, port: int | None, heap: str | None, secure: bool, as_json: bool
) -> None:
    """Start the node, fetching it first if need be (700 MB, once); it keeps running.

    \b
    Example:
      opensearch-lsr cluster up --heap 2g
      opensearch-lsr cluster up --name older --version 2.19.1
      opensearch-lsr cluster up --name older --version 3.6.0 --upgrade
      opensearch-lsr cluster up --name secured --version 2.19.1 --secure
    """
    from opensearch_lsr.local.node import Node

    with progress() as report:
        info = Node(name, version=version).start(
            port=port, heap=heap, secure=secure, upgrade=upgrade, on_progress=report
        )
    if as_json:
        emit_json(info.as_dict())
        return
    click.echo(f"OpenSearch {info.version} is up at {info.url} (heap {info.heap}, log {info.log})")
    click.echo(f"export OPENSEARCH_URL={info.url}")
    if info.ca_certs:  # the password itself is not shown: terminals keep what they show
        click.echo(f"export OPENSEARCH_CA_CERTS={info.ca_certs}")
        click.echo(f'export OPENSEARCH_USERNAME=admin OPENSEARCH_PASSWORD="$(cat {info.password_file})"')


@cluster.command()
@name_option
@click.option("--wipe", is_flag=True, help="Delete its data, config and logs, too.")
@json_option
def down(name: str, wipe: bool, as_json: bool) -> None:
    """Stop the node; its data stays unless --wipe is given.

    \b
    Example:
      opensearch-lsr cluster down
    """
    from opensearch_lsr.local.node import Node

    was_up = Node(name).stop(wipe=wipe)
    if as_json:
        emit_json({"name": name, "was_running": was_up, "wiped": wipe})
        return
    click.echo(("stopped" if was_up else "was not running") + (", data deleted" if wipe else ""))


@cluster.command()
@name_option
@json_option
def status(name: str, as_json: bool) -> None:
    """Show whether the node runs, and where (exit code 1 when it does not).

    \b
    Example:
      opensearch-lsr cluster status --json
    """
    from opensearch_lsr.local.node import Node

    info = Node(name).status()
    if as_json:
        emit_json(info.as_dict() if info else None)
    elif info:
        minutes = (time.time() - info.started) / 60
        click.echo(
            f"OpenSearch {info.version} runs at {info.url}: pid {info.pid}, heap {info.heap}, up {minutes:.0f} min"
        )
        click.echo(f"log  {info.log}\ndata {info.data}")
    else:
        click.echo("not running; start it with: opensearch-lsr cluster up")
    if not info:
        sys.exit(1)


@cluster.command()
@name_option
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(1), help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on printing new lines.")
def logs(name: str, lines: int, follow: bool) -> None:
    """Print the end of the node's log.

    \b
    Example:
      opensearch-lsr cluster logs -n 20 --follow
    """
    from opensearch_lsr.errors import NodeError
    from opensearch_lsr.local.node import Node

    file = Node(name).log_file
    if not file.is_file():
        raise NodeError(f"node {name} has no log yet ({file}); start it with: opensearch-lsr cluster up")
    with file.open(errors="replace") as log:
        for line in log.readlines()[-lines:]:
            click.echo(line, nl=False)
        while follow:
            if line := log.readline():
                click.echo(line, nl=False)
            else:
                time.sleep(0.3)
