"""``opensearch-lsr benchmark``: is it better than BM25 on my data, by how much, and what does it cost."""

from __future__ import annotations

import shlex
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr.cli.options import Connection, Limit, cluster_options, json_option
from opensearch_lsr.cli.output import CHECK_FAILED, emit_json, progress, table
from opensearch_lsr.errors import needs_extra

if TYPE_CHECKING:
    from opensearch_lsr.evaluation.context import DenseModel

_SETTINGS = {"grow": "scale.sizes"}  # options that are called otherwise in a suite
_HELP = {"help_option_names": ["-h", "--help"]}


class Sizes(click.ParamType["list[int]"]):
    """``10k,100k,1m``."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        units = {"k": 1_000, "m": 1_000_000}
        try:
            found = [
                int(part[:-1]) * units[part[-1]] if part[-1:] in units else int(part)
                for part in str(value).lower().split(",")
            ]
        except ValueError:
            found = []
        if min(found, default=0) < 1:
            self.fail(f"{value!r}: give sizes such as 10k,100k,1m", param, ctx)
        return sorted(set(found))


@click.group(context_settings=_HELP)
def benchmark() -> None:
    """Compare BM25 and learned sparse retrieval on your data and cluster.

    \b
    Example:
      opensearch-lsr benchmark run my-collection -o results
      opensearch-lsr benchmark gate results --min-gain 0.01 --max-p95-ratio 1.5
    """


@benchmark.command(context_settings=_HELP)
@click.argument("collections", nargs=-1)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="For results.")
@click.option("--suite", type=click.Path(path_type=Path), metavar="SUITE.toml", help="What to compare, all of it.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a setting of the suite.")
@click.option("--bundle", help="The encoder to compare [default: the package's own].")
@click.option("--system", "systems", multiple=True, metavar="NAME", help="Only these; the first is the baseline.")
@click.option("--split", help="Whose judgments count [default: test].")
@click.option("--bi-encoder", metavar="BUNDLE", help="Also a sparse bi-encoder, which encodes queries.")
@click.option("--dense", metavar="MODEL", help="Also a k-NN field by this sentence-transformers model.")
@click.option("--grow", type=Sizes(), metavar="10k,100k,1m", help="Grow the first collection; latency at each size.")
@click.option("--drop-self", is_flag=True, help="Leave out the document whose id is the query's (ArguAna, Quora).")
@click.option("--no-latency", is_flag=True, help="Relevance and cost only.")
@click.option("--cache", type=click.Path(path_type=Path), help="Where vectors are kept [default: FOLDER/cache].")
@click.option("--cleanup", is_flag=True, help="Leave nothing in the cluster, however the run ends.")
@cluster_options
@json_option
def run(
    connection: Connection,
    output: Path,
    suite: Path | None,
    settings: tuple[str, ...],
    no_latency: bool,
    cache: Path | None,
    cleanup: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure relevance, latency and cost on COLLECTIONS.

    A collection is a BEIR folder (corpus.jsonl, queries.jsonl, qrels/test.tsv, each also .gz), ir_datasets:ID, or
    hub:owner/name. FOLDER gets results.json, report.html, table.md, plots and TREC runs. A run that was stopped goes
    on where it was when it is started again.

    Systems: bm25 and bm25-standard (by analyzer); tokens, analyzer and model (what encodes the query); two-phase,
    pruned-query, seismic and the presets balanced and fast (what makes it faster); hybrid; bi-encoder; dense. What the
    cluster lacks for one is told, and the others are compared.

    \b
    Example:
      opensearch-lsr benchmark run my-collection -o results
      opensearch-lsr benchmark run my-collection -o results --system bm25 --system tokens --grow 10k,100k
    """
    if not suite and not options["collections"]:
        raise click.UsageError("name a collection, or a --suite")
    with needs_extra("eval", "the benchmark"):  # now, not after hours
        import ir_measures  # noqa: F401
    with needs_extra("report", "the report"):
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401

    from opensearch_lsr.evaluation import benchmark as benchmarks
    from opensearch_lsr.evaluation import results
    from opensearch_lsr.evaluation import suite as suites
    from opensearch_lsr.evaluation.report import terminal
    from opensearch_lsr.evaluation.report.write import write
    from opensearch_lsr.evaluation.run import Run

    given = {_SETTINGS.get(name, name): value for name, value in options.items() if value}
    chosen = suites.read(suite, settings, {key: list(v) if isinstance(v, tuple) else v for key, v in given.items()})
    if no_latency:
        chosen = replace(chosen, latency=None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled job ends as Ctrl-C does: recorded, cleaned
    with connection.client() as client, progress(in_bytes=False) as report:
        dense = _dense(chosen.dense) if chosen.dense else None
        command = shlex.join(["opensearch-lsr", *sys.argv[1:]])
        asked = Run(client, chosen, output, cache or output / "cache", dense, command, _say, report)
        try:
            found = benchmarks.measure(asked, clean=cleanup)
        except BaseException:
            if asked.results:
                with suppress(Exception):  # what ended the run is what is told
                    write(asked.results, output)
                clear = "" if cleanup else f"; `opensearch-lsr benchmark cleanup {output}` clears the cluster"
                click.echo(f"what was measured is in {output}, the same command goes on from there{clear}", err=True)
            raise
        write(found, output)
    if as_json:
        emit_json(results.plain(found))
        return
    for columns, rows in terminal.summary(found):
        table(columns, rows)
    click.echo(f"{terminal.verdict(found)}\n\n{output / 'report.html'}")


@benchmark.command(context_settings=_HELP)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@json_option
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Set two runs' figures side by side, A and B: folders or results.json files.

    Where both have a measure of the same queries, the difference has a 95 % interval and p (paired, by query).

    \b
    Example:
      opensearch-lsr benchmark compare results-before results-after
    """
    from opensearch_lsr.evaluation import compare as comparing
    from opensearch_lsr.evaluation import results

    one, other = results.load(a), results.load(b)
    values = [results.load_values(path if path.is_dir() else path.parent) for path in (a, b)]
    rows = comparing.compare(one, other, (values[0], values[1]))
    for line in comparing.circumstances(one, other):
        click.echo(f"not alike: {line}", err=True)
    if as_json:
        emit_json([row._asdict() for row in rows])
        return
    shown = [["–" if value is None else value for value in row] for row in rows]
    table(["collection", "system", "measure", "A", "B", "B - A", "low", "high", "p"], shown)


@benchmark.command(context_settings=_HELP)
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--min-ndcg", type=Limit(), help="Mean nDCG@10, at least.")
@click.option("--min-gain", type=Limit(), help="Mean nDCG@10 above the baseline's, at least.")
@click.option("--max-p50-ratio", type=Limit(), help="Median latency by the baseline's, at most.")
@click.option("--max-p95-ratio", type=Limit(), help="The same of the 95th percentile.")
@click.option("--max-p99-ratio", type=Limit(), help="The same of the 99th percentile.")
@click.option("--system", "systems", multiple=True, metavar="NAME", help="Only these [default: all but the baseline].")
@click.option("--collection", "collections", multiple=True, metavar="NAME", help="Only these [default: all].")
@json_option
def gate(results: Path, systems: tuple[str, ...], collections: tuple[str, ...], as_json: bool, **limits: Any) -> None:
    """Hold a run against limits; exit code 3 when one is not kept.

    A run that did not come to its end does not pass, nor one in which queries of these systems, or of the baseline,
    failed.

    \b
    Example:
      opensearch-lsr benchmark gate results --system tokens --min-ndcg 0.6 --max-p95-ratio 1.5
    """
    from opensearch_lsr.evaluation import gate as gates
    from opensearch_lsr.evaluation import results as stored

    if all(limit is None for limit in limits.values()):
        raise click.UsageError("no limit was given, such as --min-ndcg 0.6")
    failures = gates.gate(stored.load(results), gates.Limits(**limits), systems, collections)
    if as_json:
        emit_json({"passed": not failures, "failures": failures})
    else:
        click.echo("\n".join(failures) or "all limits are kept")
    if failures:
        sys.exit(CHECK_FAILED)


@benchmark.command(context_settings=_HELP)
@click.argument("folder", type=click.Path(path_type=Path))
@cluster_options
@json_option
def cleanup(connection: Connection, folder: Path, as_json: bool) -> None:
    """Remove what a run that was stopped left in the cluster; its results in FOLDER stay.

    \b
    Example:
      opensearch-lsr benchmark cleanup results
    """
    from opensearch_lsr.evaluation import results
    from opensearch_lsr.evaluation.cleanup import cleanup as clean
    from opensearch_lsr.evaluation.run import name_in_cluster

    name = name_in_cluster(results.load(folder)["run"])
    with connection.client() as client:
        removed = clean(client, name)
    if as_json:
        emit_json({"removed": removed})
        return
    click.echo("\n".join(f"removed {one}" for one in removed) or f"nothing of {name} is in the cluster")


def _dense(folder: str) -> DenseModel:
    from opensearch_lsr.evaluation.context import DenseModel
    from opensearch_lsr.training.teachers.dense import DenseTeacher
    from opensearch_lsr.training.teachers.encoder import Encoder

    opened = Encoder(partial(DenseTeacher.opened, device=None), folder, max_length=256, batch_tokens=8192)
    return DenseModel(opened.name, opened.fingerprint, opened.model)


def _say(step: str) -> None:
    click.echo(f"{step} …", err=True)
