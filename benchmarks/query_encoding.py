"""What expanding a query costs: ours beside sentence-transformers' inference-free query encoder, interleaved.

    python benchmarks/query_encoding.py                     # the sample's queries, cut or repeated to ten words
    python benchmarks/query_encoding.py --memory 1000000    # and the process's memory over a million queries

Both look the same tokens up in the default encoder's table; that they find the same is checked first. Times are a
query's, in microseconds; what starting costs is startup.py's to say.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any

import torch
from encoding_memory import SAMPLE, resident
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

from opensearch_lsr import QueryEncoder
from opensearch_lsr.bundle import TABLE, Bundle


def main() -> None:
    """Print the tables; as the last line one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=10, help="of each query")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="encode N queries and print the memory")
    arguments = parser.parse_args()

    texts = queries(arguments.words)
    ours, theirs = QueryEncoder.from_pretrained("default"), sentence_transformers_encoder()
    check(ours, theirs, texts)

    rows = one_by_one(ours, theirs, texts, arguments.rounds)
    print(f"{len(texts)} queries of {arguments.words} words, {arguments.rounds} rounds\n")
    print(f"{'µs a query':36}{'p50':>8}{'p99':>8}")
    micro = {}
    for name, times in rows.items():
        micro[name] = statistics.median(times) / 1000, statistics.quantiles(times, n=100)[98] / 1000
        print(f"{name:36}{micro[name][0]:8.1f}{micro[name][1]:8.1f}")
    single = micro["sentence-transformers"][0] / micro["encode"][0]
    print(f"\nsentence-transformers / encode: {single:.0f}x\n")

    many = [f"{text} {number}" for number in range(64) for text in texts]
    print(f"{'queries/s, ' + format(len(many), ',') + ' queries':36}{'':>8}")
    rates = throughput(ours, theirs, many)
    for name, rate in rates.items():
        print(f"{name:36}{rate:8,.0f}")
    sizes = memory(ours, texts, arguments.memory) if arguments.memory else []
    if sizes:
        print(f"\n{'queries encoded':>16}{'MiB':>8}")
    for done, size in sizes:
        print(f"{done:16,}{size:8.1f}")
    print(json.dumps({"words": arguments.words, "p50_p99_us": micro, "ratio": single, "per_s": rates, "mib": sizes}))


def queries(words: int) -> list[str]:
    """The sample's queries, each repeated and cut to a number of words."""
    lines = (SAMPLE / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [" ".join(islice(cycle(json.loads(line)["text"].split()), words)) for line in lines]


def sentence_transformers_encoder() -> SparseEncoder:
    """The default encoder's table as sentence-transformers has inference-free queries."""
    bundle = Bundle.open("default")
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bundle.tokenizer, unk_token="[UNK]", pad_token="[PAD]")
    static = SparseStaticEmbedding.from_json(str(bundle.path / TABLE), tokenizer=tokenizer, frozen=True)
    return SparseEncoder(modules=[Router.for_query_document([static], [static])], device="cpu")


def check(ours: QueryEncoder, theirs: SparseEncoder, texts: Sequence[str]) -> None:
    """Both must find the same tokens with the same weights."""
    for text in texts:
        found = dict(theirs.decode(theirs.encode_query(text)))
        expected = ours.encode(text)
        if found.keys() != expected.keys() or any(abs(found[token] - expected[token]) > 1e-4 for token in found):
            raise SystemExit(f"{text!r}: {found} is not {expected}")


def one_by_one(ours: QueryEncoder, theirs: SparseEncoder, texts: Sequence[str], rounds: int) -> dict[str, list[int]]:
    """Nanoseconds of each call; they take turns by the round, in random order, each after a warm-up query."""
    cases: dict[str, Callable[[str], Any]] = {
        "encode": ours.encode,
        "neural_sparse (the clause)": lambda text: ours.neural_sparse(text, "lsr_vector"),
        "sentence-transformers": theirs.encode_query,
    }
    times: dict[str, list[int]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name in random.sample(list(cases), len(cases)):
            call = cases[name]
            call(texts[0])  # what the one before left in the processor's caches is not its fault
            for text in texts:
                started = time.perf_counter_ns()
                call(text)
                times[name].append(time.perf_counter_ns() - started)
    return times


def throughput(ours: QueryEncoder, theirs: SparseEncoder, texts: list[str]) -> dict[str, float]:
    """Queries a second of many at once, the best of three."""

    def threads() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ours.encode_batch, (texts[::2], texts[1::2])))

    cases: dict[str, Callable[[], Any]] = {
        "encode, one by one": lambda: [ours.encode(text) for text in texts],
        "encode_batch": lambda: ours.encode_batch(texts),
        "encode_batch, from two threads": threads,
        "sentence-transformers, batches of 32": lambda: theirs.encode_query(texts, show_progress_bar=False),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(3):
        for name, call in cases.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return {name: len(texts) / min(found) for name, found in seconds.items()}


def memory(encoder: QueryEncoder, texts: Sequence[str], total: int) -> list[tuple[int, float]]:
    """(queries encoded, resident MiB) at ten points; each query is another one."""
    found = []
    for number in range(total + 1):
        if number % max(1, total // 10) == 0:
            found.append((number, resident()))
        encoder.encode(f"{texts[number % len(texts)]} {number}")
    return found


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
