"""plan.toml: which variants of a recipe there are, and what is claimed of them."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from opensearch_lsr.errors import InputError
from opensearch_lsr.training import recipe_file
from opensearch_lsr.training.recipe import Recipe

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Variant:
    """A recipe with some settings changed.

    Attributes:
        name: of its folder.
        settings: as ``opensearch-lsr train --set`` takes them; ``{seed}`` stands for the seed.
        mine_with: the variant whose checkpoint mines this one's hard negatives (self-mining).
        sweep: the curve that it is a point of, or None.
    """

    name: str
    settings: tuple[str, ...] = ()
    mine_with: str | None = None
    sweep: str | None = None

    @property
    def needs(self) -> set[str]:
        """Variants that must have run before."""
        found = set(re.findall(r"\$LSR_RUNS/([^/]+)/seed-", " ".join(self.settings)))
        return found | ({self.mine_with} if self.mine_with else set())

    @property
    def needs_first(self) -> set[str]:
        """Those of them whose first seed is needed, whatever this one's is (a fixed teacher)."""
        return set(re.findall(r"\$LSR_RUNS/([^/]+)/seed-1\b", " ".join(self.settings)))


@dataclass(frozen=True)
class Claim:
    """``better`` is expected to be better than ``than``.

    Attributes:
        better: a variant, or a sweep where ``at`` is ``flops``.
        than: the same.
        group: the table that the claim stands in.
        source: arXiv number.
        at: ``plain``: same steps; ``length``: documents pruned to equal length; ``flops``: curves at equal FLOPS.
        measure: ``nDCG@10`` (tested over queries), or ``longest_posting_list`` or ``postings_p99`` (lower is better,
            tested over seeds).
    """

    better: str
    than: str
    group: str
    source: str
    at: Literal["plain", "length", "flops"] = "plain"
    measure: Literal["nDCG@10", "longest_posting_list", "postings_p99"] = "nDCG@10"


@dataclass(frozen=True)
class Plan:
    """All of it.

    Attributes:
        recipe: what variants change.
        tests: folders of $LSR_WORK/tests → tokens of a document in the mean, to which claims at equal length prune.
        variants: by name, in the order in which they run.
        claims: in the order in which they are reported.
    """

    recipe: Path
    tests: Mapping[str, float]
    variants: Mapping[str, Variant] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    def recipe_of(self, variant: Variant, seed: int, more: Sequence[str] = ()) -> Recipe:
        """The recipe of one run."""
        return recipe_file.read(self.recipe, self._settings(variant, seed, more))

    def made_with(self, variant: Variant, seed: int, more: Sequence[str] = ()) -> dict[str, Any]:
        """What a run's figures depend on, the same on every machine."""
        digest = hashlib.sha256(self.recipe.read_bytes()).hexdigest()
        return {"recipe_sha256": digest, "settings": self._settings(variant, seed, more)}

    def _settings(self, variant: Variant, seed: int, more: Sequence[str]) -> list[str]:
        settings = [setting.replace("{seed}", str(seed)) for setting in variant.settings]
        return [*settings, f"name={variant.name}", f"seed={seed}", *more]

    def chosen(self, only: Collection[str]) -> list[Variant]:
        """Variants by name or sweep, and those that they need, in order; all of them for an empty collection.

        Raises:
            InputError: for a name that is neither.
        """
        sweeps = {variant.sweep for variant in self.variants.values()}
        if unknown := [name for name in only if name not in self.variants and name not in sweeps]:
            raise InputError(f"{unknown[0]}: no variant or sweep of the plan; there are {', '.join(self.variants)}")
        wanted = {name for name, one in self.variants.items() if not only or name in only or one.sweep in only}
        while more := {need for name in wanted for need in self.variants[name].needs} - wanted:
            wanted |= more
        return [variant for name, variant in self.variants.items() if name in wanted]

    @property
    def needed(self) -> set[str]:
        """Variants whose checkpoints others need."""
        return {name for variant in self.variants.values() for name in variant.needs}


def read(path: Path = HERE / "plan.toml") -> Plan:
    """Read a plan.

    Raises:
        InputError: for a variant or claim that names another one which is not there (or comes later).
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    variants: dict[str, Variant] = {}
    for variant in [_variant(entry) for entry in table["variant"]] + [
        point for entry in table.get("sweep", []) for point in _points(entry)
    ]:
        if missing := variant.needs - variants.keys():
            raise InputError(f"{path}: variant {variant.name} needs {missing.pop()}, which does not come before it")
        variants[variant.name] = variant
    claims = tuple(
        Claim(better, than, **{key: value for key, value in entry.items() if key != "pairs"})
        for entry in table.get("claims", [])
        for better, than in entry["pairs"]
    )
    sweeps = {variant.sweep for variant in variants.values()}
    for claim in claims:
        for name in (claim.better, claim.than):
            if name not in (sweeps if claim.at == "flops" else variants):
                raise InputError(f"{path}: a claim names {name}, which the plan does not have")
    return Plan(path.parent / table["recipe"], dict(table["tests"]), variants, claims)


def _variant(entry: Mapping[str, Any]) -> Variant:
    return Variant(entry["name"], tuple(entry.get("set", ())), entry.get("mine_with"))


def _points(entry: Mapping[str, Any]) -> list[Variant]:
    name = entry["name"]
    return [
        Variant(f"{name}@{weight:g}", (*entry.get("set", ()), f"regularizer.weight={weight}"), sweep=name)
        for weight in entry["weights"]
    ]
