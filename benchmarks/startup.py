"""What starting costs: bare Python, importing the package, loading the query encoder, ``--help``.

    python benchmarks/startup.py

Whole processes, interleaved, median of 15 runs in milliseconds; the second figure is what it adds to bare Python. The
last line is one JSON object.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time

RUNS = 15
LOAD = "from opensearch_lsr import QueryEncoder; QueryEncoder.from_pretrained('default').encode('brake noise')"
CASES = {
    "bare python": [sys.executable, "-c", "pass"],
    "import opensearch_lsr": [sys.executable, "-c", "import opensearch_lsr"],
    "load the default query encoder": [sys.executable, "-c", LOAD],
    "the same, without its cache": ["env", "XDG_CACHE_HOME=/dev/null", sys.executable, "-c", LOAD],
    "opensearch-lsr --help": [shutil.which("opensearch-lsr") or f"{sys.prefix}/bin/opensearch-lsr", "--help"],
}


def main() -> None:
    """Print the table."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for run in range(RUNS + 1):  # the first is the warm-up
        for name, command in CASES.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if run:
                times[name].append((time.perf_counter() - started) * 1000)
    bare = statistics.median(times["bare python"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:32} {median:7.1f} ms   +{median - bare:6.1f} ms   (max {max(measured):.1f})")
    print(json.dumps({"runs": RUNS, "median_ms": {name: statistics.median(found) for name, found in times.items()}}))


if __name__ == "__main__":
    main()
