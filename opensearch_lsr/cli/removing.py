"""Showing what would be removed from a cluster, asking, and removing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from opensearch_lsr.cli.output import emit_json, table

if TYPE_CHECKING:
    from opensearch_lsr.cluster.status import Removal


def remove(found: Sequence[Removal], question: str, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Show what was found and remove it, unless that is all that was asked for; whether it was removed.

    Raises:
        click.Abort: when the answer is no.
    """
    if as_json:
        emit_json({"dry_run": dry_run, "removed": [{"kind": r.kind, "name": r.name} for r in found]})
    else:
        table(["what", "name"], [(removal.kind, removal.name) for removal in found])
    if dry_run:
        return False
    if found and not yes:
        click.confirm(question, abort=True, err=True)
    for removal in found:
        removal.apply()
    return True
