"""Memory while many documents are encoded as a stream: it must not grow with their number.

    python benchmarks/encoding_memory.py --documents 100000

The sample's documents, cut to a few words and each with a number of its own, so that all are different and a hundred
thousand take minutes; one in a hundred is whole, so that batches of both kinds are seen. Resident MiB at ten points.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import opensearch_lsr
from opensearch_lsr import DocumentEncoder

SAMPLE = Path(opensearch_lsr.__file__).parent / "samples" / "handbook"
WORDS, WHOLE = 8, 100


def main() -> None:
    """Print the table; as its last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="default")
    parser.add_argument("--documents", type=int, default=100_000)
    arguments = parser.parse_args()

    encoder = DocumentEncoder.from_pretrained(arguments.bundle)
    points, started = [(0, resident())], time.perf_counter()
    print(f"{'documents':>12}{'MiB':>9}", flush=True)
    print(f"{0:12,}{points[0][1]:9.1f}", flush=True)
    for number, _ in enumerate(encoder.encode_stream(documents(arguments.documents)), start=1):
        if number % max(1, arguments.documents // 10) == 0:
            points.append((number, resident()))
            print(f"{number:12,}{points[-1][1]:9.1f}", flush=True)
    seconds = time.perf_counter() - started
    print(f"\n{arguments.documents / seconds:,.0f} documents a second")
    print(json.dumps({"documents": arguments.documents, "seconds": seconds, "mib": points}))


def documents(count: int) -> Iterator[str]:
    """Texts, most of them short."""
    lines = (SAMPLE / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"].split() for line in lines]
    for number in range(count):
        words = texts[number % len(texts)]
        yield " ".join([str(number), *(words if number % WHOLE == 0 else words[:WORDS])])


def resident() -> float:
    """Of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
