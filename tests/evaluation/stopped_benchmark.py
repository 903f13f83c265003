"""Runs the command line and stops a process when results are saved for the n-th time (run by test_benchmark_run.py).

``stopped_benchmark.py N SIGNAL PID ARGUMENTS…``; PID 0 is this process itself.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from opensearch_lsr.cli.main import main
from opensearch_lsr.evaluation import results

last, name, pid = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.argv = ["opensearch-lsr", *sys.argv[4:]]
saves = 0
save = results.save


def counted(*arguments: Any) -> None:
    global saves
    save(*arguments)
    saves += 1
    if saves == last:
        os.kill(pid or os.getpid(), signal.Signals[name])


results.save = counted
main()
