"""What the ablations learn from, are measured on and start with; written once, outside the repository.

    LSR_COLLECTIONS=../shared/collections LSR_WORK=~/ablations LSR_MINILM=… python benchmarks/ablations/prepare.py

$LSR_WORK/data/train.jsonl   questions to 6,000 sentences (squad-sent), summaries (scitldr) and claims (scifact) to
                             abstracts, train splits only, each row with four hard negatives of BM25
$LSR_WORK/tests/squad-sent   500 questions that are in no training row, over the 6,000 sentences: in-domain
$LSR_WORK/tests/nfcorpus     its dev split, nothing of which is trained on: zero-shot
$LSR_WORK/starts/…           the backbone's first layers with a masked-LM head; "short" less trained, "random" from none

Parts that are there are kept. A few minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from opensearch_lsr.data import beir, training_set
from opensearch_lsr.data.documents import read_titled
from opensearch_lsr.data.training_set import Row, TrainingSet
from opensearch_lsr.training import negatives, recipe_file
from opensearch_lsr.training.train import train

HERE = Path(__file__).parent
SEED = 1  # of the data; a run's own seed is another matter
HELD_OUT = 500
DOCUMENTS = 6000
STARTS = {
    "minilm": [],
    "short": ["adaptation.steps=40"],
    "random": ["model.backbone=$LSR_WORK/starts/untrained"],
}


def main() -> None:
    """Write what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adaptation-steps", type=int, help="of each start; default: start.toml's")
    arguments = parser.parse_args()
    for name in ("LSR_COLLECTIONS", "LSR_WORK", "LSR_MINILM"):
        if not os.environ.get(name):
            sys.exit(f"{name} is not set; see {HERE / 'README.md'}")
    collections, work = Path(os.environ["LSR_COLLECTIONS"]), Path(os.environ["LSR_WORK"])
    if not (work / "data" / "train.jsonl").is_file():
        write_data(collections, work)
    if not (work / "tests" / "nfcorpus").is_dir():
        folder = collections / "nfcorpus"
        documents = {key: f"{title} {text}".strip() for key, title, text in read_titled(folder)}
        write_test(
            work / "tests" / "nfcorpus", documents, beir.read_queries(folder), beir.read_qrels(folder, split="dev")
        )
    transformers_logging.set_verbosity_error()  # that a backbone without a head lacks one is no news
    transformers_logging.disable_progress_bar()
    write_starts(work, arguments.adaptation_steps)


def write_data(collections: Path, work: Path) -> None:
    """The training rows, and the questions held out of them."""
    found, chance = TrainingSet(), random.Random(SEED)
    folder = collections / "squad-sent"
    texts = {key: f"{title} {text}".strip() for key, title, text in read_titled(folder)}
    queries, qrels = beir.read_queries(folder), beir.read_qrels(folder, "train")
    held_out = set(chance.sample(sorted(qrels), HELD_OUT))
    asked = {queries[query] for query in held_out}
    kept = {document for query in held_out for document in qrels[query]}
    kept |= set(chance.sample(sorted(texts.keys() - kept), DOCUMENTS - len(kept)))
    for query, judged in qrels.items():
        if query not in held_out and queries[query] not in asked:
            for document in sorted(judged.keys() & kept):
                found.add(queries[query], [texts[document]])
    for name in ("scitldr", "scifact"):
        other = training_set.read(collections / name, "train")
        for row in other.rows:
            found.add(other.queries[row.query], [other.documents[row.documents[0]]])
    for key in sorted(kept):
        found.add_document(texts[key])  # those that nobody asks for are negatives all the same
    write_test(
        work / "tests" / "squad-sent",
        {key: texts[key] for key in sorted(kept)},
        queries,
        {query: qrels[query] for query in sorted(held_out)},
    )
    mined = negatives.mine(found, negatives.BM25Searcher(found.documents), depth=(3, 60), per_query=4, seed=SEED)
    for place, row in enumerate(mined.rows):
        if len(row.documents) == 1:  # BM25 found nothing else
            mined.rows[place] = Row(row.query, (*row.documents, chance.randrange(len(mined.documents))))
    (work / "data").mkdir(parents=True, exist_ok=True)
    training_set.write(mined, work / "data" / "train.jsonl")
    print(f"{len(mined.rows):,} rows, {len(mined.documents):,} documents")


def write_test(folder: Path, documents: Mapping[str, str], queries: Mapping[str, str], qrels: beir.Qrels) -> None:
    """A BEIR folder with the split ``test``; it appears when it is whole."""
    partial = folder.with_name(f"{folder.name}.part")
    (partial / "qrels").mkdir(parents=True, exist_ok=True)
    write_lines(partial / "corpus.jsonl", ({"_id": key, "title": "", "text": text} for key, text in documents.items()))
    write_lines(partial / "queries.jsonl", ({"_id": key, "text": queries[key]} for key in qrels))
    lines = [f"{query}\t{document}\t{grade}" for query, judged in qrels.items() for document, grade in judged.items()]
    text = "\n".join(["query-id\tcorpus-id\tscore", *lines])
    (partial / "qrels" / "test.tsv").write_text(f"{text}\n", encoding="utf-8")
    partial.rename(folder)
    print(f"{folder}: {len(qrels):,} queries, {len(documents):,} documents")


def write_lines(file: Path, records: Iterable[dict[str, str]]) -> None:
    file.write_text("".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records), encoding="utf-8")


def write_starts(work: Path, steps: int | None) -> None:
    """Adapted backbones, by start.toml."""
    starts = work / "starts"
    if not (starts / "untrained").is_dir():
        torch.manual_seed(SEED)
        config = AutoConfig.from_pretrained(os.environ["LSR_MINILM"])
        AutoTokenizer.from_pretrained(os.environ["LSR_MINILM"]).save_pretrained(starts / "untrained")
        AutoModel.from_config(config).save_pretrained(starts / "untrained")
    for name, settings in STARTS.items():
        if (starts / name / "README.md").is_file():  # the card comes last
            continue
        asked = [f"name=start-{name}", *settings]
        if steps is not None:
            asked.append(f"adaptation.steps={steps}")
        recipe = recipe_file.read(HERE / "start.toml", asked)
        shutil.rmtree(starts / name, ignore_errors=True)  # an unfinished one

        def show(step: int, total: int, figures: dict[str, float], name: str = name) -> None:
            if "adaptation_loss" in figures:
                print(f"start {name}: {step}/{total}, loss {figures['adaptation_loss']:.2f}", flush=True)

        train(recipe, starts / name, on_log=show)


if __name__ == "__main__":
    main()
