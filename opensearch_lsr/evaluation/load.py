"""Several clients at once: as fast as answers come (closed loop), or at a fixed rate whatever the answers (open loop).

A closed loop waits for an answer before it asks again, and so never asks much of a slow system; users do not wait for
each other. In the open loop query i is due at i / rate, and its latency counts from then on: if the system falls
behind, the time in the queue shows (Tene, «How NOT to Measure Latency»: coordinated omission). Beyond what a system can
take the queue only grows, and so do latencies, as long as one measures: then the rate it achieved is what can be told.

Systems take turns in blocks of one round, in random order, so that each has the machine to itself while it runs.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from opensearchpy import OpenSearch

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.asking import ERRORS, Answer, Asked, ask, explained, without_retries
from opensearch_lsr.evaluation.latency import SIZE, WARMUP
from opensearch_lsr.evaluation.samples import Samples

MAX_CLIENTS = 8  # connections that cluster.connect keeps open


@dataclass(frozen=True)
class Done:
    """One query of a block: its answer or why there is none, and the ms since it was due."""

    query: int
    answer: Answer | str
    since_due_ms: float


def closed_loop(
    client: OpenSearch,
    systems: Mapping[str, Asked],
    queries: Sequence[str],
    *,
    clients: int,
    rounds: int,
    seed: int,
    warmup: int = WARMUP,
    size: int = SIZE,
    track_total_hits: bool = True,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Samples]:
    """``clients`` threads, each asking its next query when the last is answered.

    Args:
        clients: 1 to 8.

    The other arguments, the result and what is raised are those of
    :func:`opensearch_lsr.evaluation.latency.interleaved`; ``seconds`` is set, so that queries per second can be told.

    Raises:
        InputError: for a number of clients that is not possible.
    """
    if not 1 <= clients <= MAX_CLIENTS:
        raise InputError(f"{clients} clients: 1 to {MAX_CLIENTS} are possible, one connection each")

    def block(system: Asked, order: Sequence[int]) -> tuple[list[Done], float]:
        def one(query: int) -> Done:
            started = time.perf_counter()
            answer = _answer(client, system, queries[query], size, track_total_hits)
            return Done(query, answer, (time.perf_counter() - started) * 1e3)

        begin = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            done = list(pool.map(one, order))
        return done, time.perf_counter() - begin

    return _in_turns(client, systems, len(queries), block, rounds, warmup, seed, on_progress)


def open_loop(
    client: OpenSearch,
    systems: Mapping[str, Asked],
    queries: Sequence[str],
    *,
    rate: float,
    rounds: int,
    seed: int,
    warmup: int = WARMUP,
    size: int = SIZE,
    track_total_hits: bool = True,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Samples]:
    """Queries at a fixed rate, at most 8 of them under way at once; the rest waits, and the waiting counts.

    Args:
        rate: queries a second.

    The other arguments, the result and what is raised are those of
    :func:`opensearch_lsr.evaluation.latency.interleaved`; ``total`` is measured from the scheduled start, and
    ``seconds`` until the last query is taken up: longer than scheduled where the system fell behind.

    Raises:
        InputError: for a rate that is not positive.
    """
    if not rate > 0:
        raise InputError(f"{rate} queries a second: a rate is above 0")

    def block(system: Asked, order: Sequence[int]) -> tuple[list[Done], float]:
        late = [0.0] * len(order)
        begin = time.perf_counter()

        def one(place: int) -> Done:
            due = begin + place / rate
            late[place] = max(0.0, time.perf_counter() - due)
            time.sleep(max(0.0, due - time.perf_counter()))
            answer = _answer(client, system, queries[order[place]], size, track_total_hits)
            return Done(order[place], answer, (time.perf_counter() - due) * 1e3)

        with ThreadPoolExecutor(MAX_CLIENTS) as pool:
            done = list(pool.map(one, range(len(order))))
        return done, len(order) / rate + late[-1]

    return _in_turns(client, systems, len(queries), block, rounds, warmup, seed, on_progress)


def _answer(client: OpenSearch, system: Asked, text: str, size: int, track_total_hits: bool) -> Answer | str:
    try:
        return ask(client, system, text, size, track_total_hits)
    except ERRORS as error:
        return explained(client, error)


def _in_turns(
    client: OpenSearch,
    systems: Mapping[str, Asked],
    queries: int,
    block: Callable[[Asked, Sequence[int]], tuple[list[Done], float]],
    rounds: int,
    warmup: int,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> dict[str, Samples]:
    """Blocks of one system and one round, the systems in a new random order in each round."""
    chance = random.Random(seed)
    names, order = list(systems), list(range(queries))
    found = {name: Samples.empty(rounds, queries) for name in names}
    seconds = dict.fromkeys(names, 0.0)
    with without_retries(client):
        for round_ in range(-warmup, rounds):
            chance.shuffle(names)
            for name in names:
                chance.shuffle(order)
                done, took = block(systems[name], list(order))
                if round_ >= 0:
                    seconds[name] += took
                    _enter(found[name], round_, done)
            on_progress(round_ + warmup + 1, warmup + rounds)
    for name, samples in found.items():
        samples.seconds = seconds[name]
    return found


def _enter(samples: Samples, round_: int, done: Sequence[Done]) -> None:
    for one in done:
        if isinstance(one.answer, Answer):
            samples.put(round_, one.query, one.answer, one.since_due_ms)
        else:
            samples.errors[one.answer] += 1
