"""Small decoders, pre-trained here, as document encoders: with and without adaptation, causal, echo and bidirectional.

    export LSR_COLLECTIONS=../shared/collections LSR_WORK=~/.cache/lsr-csplade
    python benchmarks/csplade/run.py -o benchmarks/results/csplade

Everything: data, decoders, all runs of plan.toml with seeds 1 2 3, and the report. What is there is not made again; a
killed run goes on from its last checkpoint. Data, runs and measures are those of benchmarks/ablations.

    runs/VARIANT/seed-N.json   figures of a run
    curves.json                losses over steps
    csplade.md, curves.svg     the report
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pretrain
import write_report
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from opensearch_lsr import token_weights
from opensearch_lsr.data import beir, training_set
from opensearch_lsr.data.documents import read_titled
from opensearch_lsr.errors import LSRError
from opensearch_lsr.whole_file import whole

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "ablations"))
import plan  # noqa: E402  # of the ablations
import prepare  # noqa: E402
import run as ablations  # noqa: E402


def main() -> None:
    """Run what is not there yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of results and report")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="variants; default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, help="of each phase: a trial; its runs are kept apart")
    parser.add_argument("--list", action="store_true", help="print what there is to run, and stop")
    arguments = parser.parse_args()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        work = replace(ablations.open_work(arguments.steps), results=arguments.output / "figures")
        if not arguments.list:
            pretrain.pretrain(arguments.steps)
            write_data(work.root)
        asked = plan.read(HERE / "plan.toml")
        if arguments.steps:  # what a variant sets itself comes last and holds
            shorter = f"adaptation.steps={arguments.steps}"
            asked = replace(
                asked,
                variants={
                    name: replace(one, settings=(shorter, *one.settings)) for name, one in asked.variants.items()
                },
            )
        ablations.study(asked, work, arguments)
        if not arguments.list:
            keep_curves(asked, work, arguments.output)
            write_report.write(arguments.output)
    except LSRError as error:
        sys.exit(f"error: {error}")


def write_data(work: Path) -> None:
    """Training rows and tests of the ablations, and the table of token weights over the training documents."""
    collections = Path(os.environ["LSR_COLLECTIONS"])
    if not (work / "data" / "train.jsonl").is_file():
        prepare.write_data(collections, work)
    if not (work / "tests" / "nfcorpus").is_dir():
        folder = collections / "nfcorpus"
        documents = {key: f"{title} {text}".strip() for key, title, text in read_titled(folder)}
        queries, qrels = beir.read_queries(folder), beir.read_qrels(folder, split="dev")
        prepare.write_test(work / "tests" / "nfcorpus", documents, queries, qrels)
    table = work / "decoders" / "idf.json"
    if not table.is_file():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "decoders" / "tokenizer")
        texts = training_set.read(work / "data" / "train.jsonl").documents
        counted = (tokenizer.tokenize(text) for text in texts)
        weights = token_weights.from_corpus(counted, tokenizer.get_vocab(), tokenizer.all_special_tokens)
        with whole(table) as draft:
            token_weights.save(weights, draft)


def keep_curves(asked: plan.Plan, work: ablations.Work, output: Path) -> None:
    """``curves.json``: the decoders', and of each run whose log is here; those of other machines stay."""
    file = output / "curves.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"decoders": {}, "runs": {}}
    for name, size in pretrain.SIZES.items():
        found = json.loads((work.root / "decoders" / name / "curve.json").read_text(encoding="utf-8"))
        kept["decoders"][name] = {"layers": size.layers, "width": size.width, **found}
    for name in asked.variants:
        for log in sorted((work.runs / name).glob("seed-*.log.jsonl")):
            lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            kept["runs"].setdefault(name, {})[log.name.split(".")[0].removeprefix("seed-")] = curve(lines)
    with whole(file) as draft:
        draft.write_text(json.dumps(kept), encoding="utf-8")


def curve(lines: list[dict[str, float]]) -> dict[str, list[list[float | None]]]:
    """[step, loss] of the adaptation, [step, InfoNCE, active dims] of the training; null where a loss is no number."""

    def number(value: float) -> float | None:
        return round(value, 4) if abs(value) < float("inf") else None

    adaptation = [
        [line["adaptation_step"], number(line["adaptation_loss"])] for line in lines if "adaptation_step" in line
    ]
    training = [
        [line["step"], number(line.get("InfoNCE", line["loss"])), number(line["active_dims"])]
        for line in lines
        if "active_dims" in line and "loss" in line
    ]
    return {"adaptation": adaptation, "training": training}


if __name__ == "__main__":
    main()
