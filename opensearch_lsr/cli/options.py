"""Options that several commands share."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from opensearch_lsr.errors import InputError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from opensearch_lsr.sparse_vector import Prune

F = TypeVar("F", bound=Callable[..., Any])


class Limit(click.types.FloatParamType):
    """A number to hold others against: NaN, which none is above or below, is refused, and so is what is infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        limit = float(super().convert(value, param, ctx))
        if not math.isfinite(limit):
            self.fail(f"{value!r} is no limit", param, ctx)
        return limit


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
max_block_option = click.option(
    "--max-block",
    type=Limit(),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Refuse writes for so long at most.",
)
alias_option = click.option("--alias", required=True, help="The alias that applications search.")


@dataclass(frozen=True)
class Connection:
    """How to reach the cluster; the password comes from the environment only."""

    url: str | None
    ca_certs: Path | None
    insecure: bool
    aws: str | None

    @contextmanager
    def client(self) -> Iterator[OpenSearch]:
        """A client whose errors are one line each."""
        from opensearch_lsr.cluster.connect import connect, readable_errors

        url = self.url or _embedded_url() or "http://localhost:9200"
        if self.insecure:
            click.echo("warning: --insecure: whose cluster this is, is not checked", err=True)
        try:
            with readable_errors(url):
                yield connect(
                    url,
                    username=os.environ.get("OPENSEARCH_USERNAME"),
                    password=os.environ.get("OPENSEARCH_PASSWORD"),
                    ca_certs=self.ca_certs,
                    insecure=self.insecure,
                    aws=self.aws,
                )
        except UnicodeEncodeError as error:
            raise InputError(f"{error.object!r:.100}: not UTF-8, which no request can carry") from error


def cluster_options(command: F) -> F:
    """Add the connection options and hand them over as ``connection``."""

    @click.option(
        "--url", envvar="OPENSEARCH_URL", help="The cluster [env: OPENSEARCH_URL; else the one of `cluster up`]."
    )
    @click.option(
        "--ca-certs",
        type=click.Path(path_type=Path),
        envvar="OPENSEARCH_CA_CERTS",
        help="PEM file of a private certificate authority [env: OPENSEARCH_CA_CERTS].",
    )
    @click.option("--insecure", is_flag=True, help="Accept any certificate.")
    @click.option(
        "--aws",
        type=click.Choice(["es", "aoss"]),
        envvar="OPENSEARCH_AWS",
        help="Sign requests (SigV4): OpenSearch Service or Serverless [env: OPENSEARCH_AWS].",
    )
    @wraps(command)
    def with_connection(
        *args: Any, url: str | None, ca_certs: Path | None, insecure: bool, aws: str | None, **options: Any
    ) -> Any:
        return command(*args, connection=Connection(url, ca_certs, insecure, aws), **options)

    return with_connection  # type: ignore[return-value]


class PruneRule(click.ParamType["Prune"]):
    """``TYPE=RATIO``, as the processors name them."""

    name = "type=ratio"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Prune:
        from opensearch_lsr.sparse_vector import Prune

        try:
            return Prune.parse(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)


def _embedded_url() -> str | None:
    if sys.platform != "linux":  # where it cannot run
        return None
    from opensearch_lsr.local.node import Node

    running = Node().status()
    return running.url if running else None
