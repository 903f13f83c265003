"""What the parts of a run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.evaluation import results
from opensearch_lsr.evaluation.context import DenseModel
from opensearch_lsr.evaluation.ready import OnProgress, OnStep
from opensearch_lsr.evaluation.suite import Suite


@dataclass
class Run:
    """One run.

    Attributes:
        client: the cluster.
        suite: what is asked for.
        folder: where results are written; its name is the run's.
        cache: where vectors are kept; runs may share it.
        dense: the opened dense model, where the suite names one.
        command: how it was called, for the record.
        on_step: called with a line about each part.
        on_progress: called with what is being done, how much of it, and of how much.
        results: as ``results.json`` holds them; filled by the parts.
    """

    client: OpenSearch
    suite: Suite
    folder: Path
    cache: Path
    dense: DenseModel | None = None
    command: str = ""
    on_step: OnStep = lambda step: None
    on_progress: OnProgress = lambda what, done, total: None
    results: results.Results = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The run's in the cluster."""
        return name_in_cluster(self.results["run"])

    def save(self) -> None:
        """Keep what was measured."""
        results.save(self.folder, self.results)


def name_in_cluster(about: Mapping[str, Any]) -> str:
    """A run's name and when it was begun, such as ``nightly-20261123091244``.

    Two people may both call their folders ``results``; neither's run touches what the other's has in the cluster.
    """
    digits = "".join(filter(str.isdigit, about.get("started") or ""))
    return f"{about['name']}-{digits[:14]}"
