"""``opensearch-lsr deploy``."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opensearch_lsr.cli.options import Connection, PruneRule, alias_option, cluster_options, json_option
from opensearch_lsr.cli.output import emit_json, progress, table

if TYPE_CHECKING:
    from opensearch_lsr.sparse_vector import Prune


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bundle")
@alias_option
@click.option(
    "--field", "fields", multiple=True, required=True, help="Text field to encode; repeat it: joined in order."
)
@click.option(
    "--encode", type=click.Choice(["cluster", "client"]), default="cluster", show_default=True, help="Who encodes."
)
@click.option(
    "--query-mode",
    type=click.Choice(["tokens", "analyzer", "model"]),
    default="tokens",
    show_default=True,
    help="What queries may send: tokens looked up by the client, or text.",
)
@click.option("--two-phase", is_flag=True, help="Score strong query tokens first, in the default search pipeline.")
@click.option(
    "--preset",
    type=click.Choice(["exact", "balanced", "fast"]),
    default="exact",
    show_default=True,
    help="Exactness for speed: weak weights left out on both sides, or candidates by short vectors first.",
)
@click.option("--prune", type=PruneRule(), help="Keep only strong document weights, e.g. max_ratio=0.1.")
@click.option(
    "--chunk",
    type=int,
    metavar="BYTES",
    help="Give long documents a vector for each chunk of so many bytes; 500 suits encoders of 512 tokens.",
)
@click.option("--mapping", type=click.Path(path_type=Path), help="JSON with further fields (properties) or settings.")
@click.option("--from", "source_index", help="Take over this index: mappings, settings and documents.")
@click.option("--change-settings", is_flag=True, help="Change the cluster settings that are in the way.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@cluster_options
@json_option
def deploy(
    connection: Connection,
    bundle: str,
    alias: str,
    fields: tuple[str, ...],
    encode: str,
    query_mode: str,
    two_phase: bool,
    preset: str,
    prune: Prune | None,
    chunk: int | None,
    mapping: Path | None,
    source_index: str | None,
    change_settings: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put an encoder behind an alias: model, pipelines, token weights, index.

    BUNDLE is a folder, a Hub name, or "default". What is there is kept; running it again completes or changes nothing.

    \b
    Example:
      opensearch-lsr deploy default --alias articles --field title --field body --dry-run
      opensearch-lsr deploy default --alias articles --field title --field body
    """
    from opensearch_lsr.bundle import Bundle
    from opensearch_lsr.cluster.deployment import Deployment
    from opensearch_lsr.cluster.plan import Plan
    from opensearch_lsr.cluster.presets import PRESETS

    options = PRESETS[preset] | ({"prune": prune} if prune else {})
    wish = Deployment(
        Bundle.open(bundle),
        alias,
        fields,
        encode,
        query_mode,
        two_phase,
        chunk=chunk,
        mapping=_read_mapping(mapping),
        source_index=source_index,
        **options,
    )
    with connection.client() as client, progress() as report:
        plan = Plan(client, wish, report)
        if dry_run:
            plan.preflight()
            steps = [(step.title, step.pending() or "keep") for step in plan.steps]
        else:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled job leaves no index refusing writes
            changed = plan.preflight(change_settings)
            steps = [("cluster settings", setting) for setting in changed]
            for step, action in plan.pending():
                if not as_json:
                    click.echo(f"{step.title}: {action}")
                step.apply()
                steps.append((step.title, action))
        example = None if dry_run else _example(plan)
    if as_json:
        emit_json({"index": wish.index, "alias": alias, "dry_run": dry_run, "steps": steps, "search": example})
        return
    if dry_run:
        table(["step", "what would be done"], steps)
        return
    click.echo(f"{alias} → {wish.index}: " + (f"{len(steps)} steps done" if steps else "nothing to do"))
    if source_index and steps:
        click.echo(f"writes to {source_index} were refused for {plan.handover.outcome.block_seconds:.2f} s")
    click.echo(f"next: opensearch-lsr index FILE --alias {alias}")
    click.echo(f"search it with anything that speaks HTTP, e.g. POST /{alias}/_search")
    click.echo(json.dumps(example, ensure_ascii=False))


def _example(plan: Any) -> dict[str, Any]:
    """A search body that works as it stands, for applications."""
    from opensearch_lsr.cluster.deployed import deployed
    from opensearch_lsr.cluster.search import Options, body

    target = deployed(plan.client, plan.wish.alias)
    return body(plan.client, target, "why do brakes squeak", size=10, options=Options())


def _read_mapping(path: Path | None) -> dict[str, Any]:
    from opensearch_lsr import strict_json
    from opensearch_lsr.errors import InputError

    if path is None:
        return {}
    try:
        mapping = strict_json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from error
    if not isinstance(mapping, dict):
        raise InputError(f'{path}: not an object; give {{"properties": {{…}}}}')
    return mapping
