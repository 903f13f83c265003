"""Two processes, as on two GPUs: each takes batches of its own, and one encoder comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.train import RUN


def test_torchrun(masked_lm: Path, examples_file: Path, tmp_path: Path) -> None:
    """A learned table (used by queries only) and λ's controller, over gloo."""
    recipe = tmp_path / "two.toml"
    recipe.write_text(
        f"""
        name = "two"
        data.train = ["{examples_file}"]
        model = {{ backbone = "{masked_lm}", token_weights = "ones", learn_query_weights = true, max_length = 64 }}
        teachers = [{{ kind = "bm25" }}]
        objectives = [{{ kind = "kl" }}]
        regularizer = {{ target_dims = 20.0, schedule_steps = 1 }}
        batches.size = 4
        training = {{ steps = 4, log_every = 1, learning_rate = 1e-3, checkpoint_every = 2 }}
        """
    )
    out = tmp_path / "out"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, "-m", "opensearch_lsr.cli", "train", str(recipe), "-o", str(out)],
        capture_output=True,
        text=True,
        env={"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in (out / RUN / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    table = checkpoint.query_table(checkpoint.load(out))
    assert table.weight[table.weight > 0].ne(1).any()
