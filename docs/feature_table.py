"""Print the table of features by version that docs/reliability.md shows."""

from __future__ import annotations

import sys

from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.local.releases import RELEASES


def table() -> str:
    """Each feature on each version that is run here, since when it is there, and what to do without."""
    head = ["feature", *RELEASES, "since", "plugin", "without it"]
    rows = [head, [":--", *[":-:"] * len(RELEASES), "--:", ":--", ":--"]]
    for feature in Feature:
        states = [feature.state(tuple(map(int, version.split(".")))[:2]) for version in RELEASES]
        since = ".".join(map(str, feature.since))
        rows.append([feature.what, *states, since, feature.plugin, feature.instead or "–"])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    sys.stdout.write(table())
