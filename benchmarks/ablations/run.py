"""Train and measure the variants of plan.toml, a run for each variant and seed.

    python benchmarks/ablations/run.py
    python benchmarks/ablations/run.py --only idf ones --seeds 1

A run's figures are benchmarks/results/ablations/figures/VARIANT/seed-N.json; those that are there are not made again.
What it is made from lies in $LSR_WORK: one that was killed goes on from its last checkpoint, and a checkpoint that
another run needs is trained again where it is gone. Names in --only are variants or sweeps; what they need is run, too.
report.py makes the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import measure
import plan
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers.utils import logging as transformers_logging

from opensearch_lsr.data import training_set
from opensearch_lsr.errors import InputError, LSRError
from opensearch_lsr.training import negatives
from opensearch_lsr.training.recipe import Recipe
from opensearch_lsr.training.train import train
from opensearch_lsr.whole_file import locked, whole

MINED_FROM = (3, 60)  # ranks, and how many are drawn: as in prepare.py
MINED_PER_QUERY = 4
RESULTS = Path(__file__).parents[1] / "results" / "ablations" / "figures"


@dataclass(frozen=True)
class Work:
    """Folders of a study."""

    root: Path
    runs: Path
    results: Path

    def result(self, variant: str, seed: int) -> Path:
        return self.results / variant / f"seed-{seed}.json"

    def checkpoint(self, variant: str, seed: int) -> Path:
        return self.runs / variant / f"seed-{seed}"


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, help="another number, for a trial; its runs are kept apart")
    parser.add_argument("--list", action="store_true", help="print what there is to run, and stop")
    arguments = parser.parse_args()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        study(plan.read(), open_work(arguments.steps), arguments)
    except LSRError as error:
        sys.exit(f"error: {error}")


def open_work(steps: int | None = None) -> Work:
    """The folders; sets LSR_RUNS, which settings of the plan use.

    Raises:
        InputError: when LSR_WORK is not set.
    """
    if not os.environ.get("LSR_WORK"):
        raise InputError("LSR_WORK is not set; give the folder that prepare.py filled")
    root = Path(os.environ["LSR_WORK"]).expanduser().absolute()
    runs = root / (f"runs-{steps}-steps" if steps else "runs")
    work = Work(root, runs, runs if steps else RESULTS)
    os.environ["LSR_RUNS"] = str(work.runs)
    return work


def study(asked: plan.Plan, work: Work, arguments: argparse.Namespace) -> None:
    """All runs, seed by seed, so that there is something to compare early."""
    variants = asked.chosen(arguments.only)
    fixed = {name for variant in variants for name in variant.needs_first}
    more = trial(arguments.steps) if arguments.steps else []
    pairs = [
        (variant, seed)
        for seed in sorted({1, *arguments.seeds})
        for variant in variants
        if seed in arguments.seeds or variant.name in fixed
    ]
    todo = [(variant, seed) for variant, seed in pairs if not finished(asked, variant, seed, work, more)]
    print(f"{len(todo)} runs to do of {len(pairs)}", flush=True)
    if arguments.list:
        print("\n".join(f"{variant.name} seed {seed}" for variant, seed in todo))
        return
    started = time.monotonic()
    for number, (variant, seed) in enumerate(todo):
        if finished(asked, variant, seed, work, more):  # by another process meanwhile
            continue
        each = (time.monotonic() - started) / number if number else 0.0
        left = f", {each * (len(todo) - number) / 3600:.1f} h left" if number else ""
        print(f"[{number + 1}/{len(todo)}{left}] {variant.name} seed {seed}", flush=True)
        run_one(asked, variant, seed, work, more)


def trial(steps: int) -> list[str]:
    """Settings of a shorter run, with as many checkpoints as a whole one."""
    return [f"training.steps={steps}", f"training.checkpoint_every={max(1, steps // 4)}"]


def finished(asked: plan.Plan, variant: plan.Variant, seed: int, work: Work, more: Sequence[str]) -> bool:
    """Whether a run's result is there.

    Raises:
        InputError: when it is another recipe's.
    """
    file = work.result(variant.name, seed)
    if not file.is_file():
        return False
    if json.loads(file.read_text(encoding="utf-8"))["made_with"] != asked.made_with(variant, seed, more):
        raise InputError(f"{file}: was made with other settings than the plan's now; delete it")
    return True


def run_one(asked: plan.Plan, variant: plan.Variant, seed: int, work: Work, more: Sequence[str]) -> None:
    """Train (or go on training), measure, write the result, drop what is not needed again."""
    folder = work.checkpoint(variant.name, seed)
    started = time.monotonic()
    begun = folder.is_dir()
    have(asked, variant, seed, work, more)
    trained = time.monotonic()
    tests = {
        name: asdict(measure.measure(folder, work.root / "tests" / name, length))
        for name, length in asked.tests.items()
    }
    result: dict[str, Any] = {
        "variant": variant.name,
        "seed": seed,
        "training_seconds": None if begun else trained - started,
        "measuring_seconds": time.monotonic() - trained,
        "steps": asked.recipe_of(variant, seed, more).training.steps,
        "made_with": asked.made_with(variant, seed, more),
        "tests": tests,
    }
    if (log := folder / "run" / "log.jsonl").is_file():  # not where only the figures were to be made again
        shutil.copy(log, folder.with_name(f"seed-{seed}.log.jsonl"))
    with whole(work.result(variant.name, seed)) as draft:
        draft.write_text(json.dumps(result), encoding="utf-8")
    shutil.rmtree(folder / "run" if variant.name in asked.needed else folder, ignore_errors=True)
    shown = ", ".join(f"{name} {found['measures']['nDCG@10']:.3f}" for name, found in tests.items())
    print(f"    nDCG@10 {shown}; {next(iter(tests.values()))['active_dims']:.0f} dims", flush=True)


def have(asked: plan.Plan, variant: plan.Variant, seed: int, work: Work, more: Sequence[str]) -> None:
    """Train a checkpoint that is not there, or not whole, after those that it needs."""
    folder = work.checkpoint(variant.name, seed)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock")):  # several processes may need the same one
        if (folder / "README.md").is_file():  # the card comes last
            return
        for name in variant.needs:
            have(asked, asked.variants[name], 1 if name in variant.needs_first else seed, work, more)
        if variant.mine_with:
            mine(asked, variant, seed, work)
        train_one(asked.recipe_of(variant, seed, more), folder, work)


def train_one(recipe: Recipe, folder: Path, work: Work) -> None:
    """Train with the study's cache of teachers' vectors, which are the same for all runs on the same data."""
    resumed = (folder / "run" / "recipe.json").is_file()
    cache, link = work.root / "teachers", folder / "run" / "teachers"
    cache.mkdir(exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(cache, target_is_directory=True)
    started = time.monotonic()

    def show(step: int, steps: int, figures: dict[str, float]) -> None:
        if "loss" in figures and (step % 100 == 0 or step == steps):
            print(
                f"    {step:>5}/{steps}  loss {figures['loss']:.3f}  {figures['active_dims']:.0f} dims  "
                f"{time.monotonic() - started:.0f} s",
                flush=True,
            )

    with sdpa_kernel(SDPBackend.MATH):  # on 48 tokens a processor's flash kernel takes five times as long
        train(recipe, folder, resume=resumed, on_log=show)


def mine(asked: plan.Plan, variant: plan.Variant, seed: int, work: Work) -> None:
    """Self-mining: the hard negatives of the base recipe's data, found by an earlier run's encoder."""
    file = work.runs / variant.name / f"mined-{seed}.jsonl"
    if file.is_file():
        return
    assert variant.mine_with is not None
    (source,) = asked.recipe_of(plan.Variant("base"), seed).data.train
    rows = training_set.read(Path(source))
    searcher = negatives.EncoderSearcher(work.checkpoint(variant.mine_with, seed), rows.documents)
    mined = negatives.mine(rows, searcher, MINED_FROM, MINED_PER_QUERY, seed)
    for place, row in enumerate(mined.rows):  # where the encoder finds too little, BM25's negatives stay
        if len(row.documents) == 1:
            mined.rows[place] = rows.rows[place]
    file.parent.mkdir(parents=True, exist_ok=True)
    training_set.write(mined, file)


if __name__ == "__main__":
    main()
