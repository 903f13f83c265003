"""``opensearch-lsr index``."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr.cli.options import Connection, alias_option, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, progress, where_time_went

if TYPE_CHECKING:
    from opensearchpy import OpenSearch
    from tokenizers import Tokenizer

    from opensearch_lsr.cluster.bulk import Report
    from opensearch_lsr.cluster.deployed import Deployed
    from opensearch_lsr.data.documents import Reject


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file")
@alias_option
@click.option("--encode", type=click.Choice(["cluster", "client"]), help="Who encodes [default: as deployed].")
@click.option("--bundle", default="default", show_default=True, help="The deployed bundle, for --encode client.")
@click.option(
    "--rejects", type=click.Path(path_type=Path), help="Where refused lines go [default: FILE.rejects.jsonl]."
)
@click.option("--allow-empty", is_flag=True, help="Index documents without text, too; they get no vector.")
@click.option("--timings", "show_timings", is_flag=True, help="Print where the time went.")
@cluster_options
@json_option
def index(
    connection: Connection,
    file: str,
    alias: str,
    encode: str | None,
    bundle: str,
    rejects: Path | None,
    allow_empty: bool,
    show_timings: bool,
    as_json: bool,
) -> None:
    """Load documents: JSON Lines (also .gz), a BEIR folder, or - for standard input.

    Each line is an object with _id (or id) and the text fields. A line that cannot be indexed is named and kept in the
    rejects file; the others go in, and the exit code is 1. What an empty index is loaded with can be searched at the
    end.

    \b
    Example:
      opensearch-lsr index corpus.jsonl.gz --alias articles --encode client
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled job leaves no index without refreshes

    from opensearch_lsr.timings import Timings

    timings = Timings()
    with timings.part("loading libraries"):
        from opensearch_lsr.cluster import bulk
        from opensearch_lsr.cluster.deployed import deployed
        from opensearch_lsr.cluster.first_load import first_load
        from opensearch_lsr.data import documents
        from opensearch_lsr.errors import InputError

    rejects = rejects or Path(("stdin" if file == "-" else Path(file).resolve().name) + ".rejects.jsonl")
    with connection.client() as client:
        target = deployed(client, alias)
        mode = encode or target.meta["encode"]
        if mode == "cluster" and target.meta["encode"] != "cluster":
            raise InputError(
                f"{alias}: was deployed with --encode client and has no model in the cluster; use --encode client"
            )
        with timings.part("opening the encoder"):
            encoder = bulk.document_encoder(target, bundle) if mode == "client" else None
            tokenizer = None if encoder else _tokenizer(client, target)
        limit = encoder.max_length if encoder else _truncated_at(tokenizer)
        stream = documents.read(file, target.fields, allow_empty)
        with first_load(client, target.index, timings), _Rejects(rejects) as kept, progress() as bar:
            report = bulk.load(
                client,
                target,
                stream,
                encoder,
                lambda r: bar(_rate(r), r.read, 0),
                kept,
                counts=tokenizer,
                timings=timings,
            )
        shares = timings.shares()
    summary: dict[str, Any] = {
        "read": report.read,
        "indexed": report.indexed,
        "rejected": report.rejected,
        "without_vector": report.without_vector,
        "truncated": report.truncated if limit else None,
        "seconds": round(report.seconds, 2),
        "documents_per_second": round(report.indexed / max(report.seconds, 1e-9), 1),
        "rejects_file": str(rejects) if report.rejected else None,
    }
    if as_json:
        emit_json(summary)
    else:
        click.echo(
            f"{report.indexed:,} of {report.read:,} documents indexed in {report.seconds:.1f} s "
            f"({summary['documents_per_second']:,} documents/s, encoded by the {mode})"
        )
        if report.truncated:
            longer = f"{report.truncated:,} longer than {limit} tokens"
            click.echo(f"{longer}: what is beyond was not encoded (deploy --chunk encodes all)", err=True)
        if report.without_vector:
            click.echo(f"{report.without_vector:,} without text: found by filters only", err=True)
    if show_timings:
        where_time_went(shares)
    if kept.first:
        more = f" and {report.rejected - 1:,} more" if report.rejected > 1 else ""
        raise InputError(f"{kept.first}{more}; the refused lines are in {rejects}")


class _Rejects:
    """The rejects file: open before loading starts, written line by line, and gone if there was nothing to keep."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first: Reject | None = None

    def __enter__(self) -> _Rejects:
        self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace")
        return self

    def __call__(self, reject: Reject) -> None:
        self.first = self.first or reject
        self._file.write(json.dumps({"origin": reject.origin, "reason": reject.reason, "line": reject.raw}) + "\n")
        self._file.flush()

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        if self.first is None and self.path.is_file():  # /dev/null stays
            self.path.unlink()


def _tokenizer(client: OpenSearch, target: Deployed) -> Tokenizer | None:
    """The encoder's, to count what the cluster truncates; None where it is not stored, or not for this account."""
    from opensearchpy.exceptions import AuthorizationException

    from opensearch_lsr.cluster import query_side

    if target.meta["query"] != "table":
        return None
    with suppress(AuthorizationException):
        return query_side.tokenizer(client, target.meta["query_fingerprint"])
    return None


def _truncated_at(tokenizer: Tokenizer | None) -> int | None:
    rule = tokenizer.truncation if tokenizer else None
    return int(rule["max_length"]) if rule else None


def _rate(report: Report) -> str:
    return f"{report.indexed / max(report.seconds, 1e-9):,.0f} documents/s"
