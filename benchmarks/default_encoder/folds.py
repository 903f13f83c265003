"""Split SciFact's train judgments into what the default encoder trains on and what it is selected on.

python benchmarks/default_encoder/folds.py ../shared/collections /path/to/folds
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

DEV_QUERIES, SEED = 200, 1


def main(collections: Path, folds: Path) -> None:
    """Write ``folds/scifact``: the corpus and queries, ``qrels/train.tsv`` (609 queries), ``dev.tsv``, ``test.tsv``."""
    source, target = collections / "scifact", folds / "scifact"
    (target / "qrels").mkdir(parents=True, exist_ok=True)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        shutil.copyfile(source / name, target / name)
    header, *rows = (source / "qrels" / "train.tsv").read_text(encoding="utf-8").splitlines()
    queries = sorted({row.split("\t")[0] for row in rows}, key=int)
    random.Random(SEED).shuffle(queries)
    dev = set(queries[:DEV_QUERIES])
    for name, wanted in (("dev", True), ("train", False)):
        kept = [row for row in rows if (row.split("\t")[0] in dev) == wanted]
        (target / "qrels" / f"{name}.tsv").write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
        print(f"{name}: {len({row.split(chr(9))[0] for row in kept})} queries, {len(kept)} judgments")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
