"""One line of the doctor's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.preflight import Finding
from opensearch_lsr.cluster.presets import BALANCED, PRESETS


@dataclass(frozen=True)
class Check:
    """What was looked at and what was seen.

    Attributes:
        what: the subject.
        seen: what is there, for people.
        findings: what is wrong with it, each with its remedy.
        numbers: what is there, for programs.
        known: False where it could not be looked at; ``seen`` says why.
    """

    what: str
    seen: str
    findings: Sequence[Finding] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    known: bool = True

    @property
    def state(self) -> str:
        if self.findings:
            return "finding"
        return "ok" if self.known else "not known"

    def as_dict(self) -> dict[str, Any]:
        findings = [{"problem": finding.problem, "remedy": finding.remedy} for finding in self.findings]
        return {
            "what": self.what,
            "state": self.state,
            "seen": self.seen,
            "findings": findings,
            "numbers": dict(self.numbers),
        }


def unknown(what: str, why: str) -> Check:
    """A line for what could not be looked at."""
    return Check(what, why, known=False)


def deploy_again(target: Deployed) -> str:
    """The command that mends what deploy makes; what is right already it leaves alone."""
    meta = target.meta
    words = ["opensearch-lsr deploy BUNDLE", f"--alias {target.alias}", *(f"--field {name}" for name in target.fields)]
    if meta["encode"] != "cluster":
        words.append(f"--encode {meta['encode']}")
    if meta["query_mode"] != "tokens":
        words.append(f"--query-mode {meta['query_mode']}")
    if meta["two_phase"]:
        words.append("--two-phase")
    if target.two_step:
        words.append("--preset fast")
    elif target.prune_query == PRESETS[BALANCED]["prune_query"]:
        words.append("--preset balanced")
    if target.chunk:
        words.append(f"--chunk {target.chunk}")
    if meta["prune"]:
        words.append(f"--prune {meta['prune']['prune_type']}={meta['prune']['prune_ratio']}")
    return " ".join(words)
