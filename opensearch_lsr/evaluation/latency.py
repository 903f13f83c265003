"""Latency as one client sees it: at each step every system gets one query, in random order.

Taking turns query by query lets all systems meet the same weather (garbage collection, other work on the machine).
Each has an order of queries of its own: systems that share an index would else read posting lists that another fetched
for the same query just before, which one with an index to itself never does. What is left is that systems on one index
find it warmer, as it is asked more often. The first rounds warm up and are not counted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from opensearchpy import OpenSearch

from opensearch_lsr.evaluation.asking import ERRORS, Asked, ask, explained, without_retries
from opensearch_lsr.evaluation.samples import Samples

SIZE, WARMUP = 10, 1


def interleaved(
    client: OpenSearch,
    systems: Mapping[str, Asked],
    queries: Sequence[str],
    *,
    rounds: int,
    seed: int,
    warmup: int = WARMUP,
    size: int = SIZE,
    track_total_hits: bool = True,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Samples]:
    """Closed loop with one client.

    Args:
        client: the cluster; all systems use its one connection.
        systems: name → system, prepared.
        queries: texts.
        rounds: how often each query goes to each system.
        seed: of the orders.
        warmup: rounds before, not counted.
        size: hits asked for.
        track_total_hits: OpenSearch's default (counted up to 10,000), or not counted at all.
        on_progress: told (rounds done, rounds), warm-up included.

    Returns:
        Name → :class:`Samples`; [rounds, queries] in the order of ``queries``, whichever the systems were asked in.

    Raises:
        ClusterError: when the cluster stops answering. A query that fails alone is counted.
    """
    chance = random.Random(seed)
    names = list(systems)
    found = {name: Samples.empty(rounds, len(queries)) for name in names}
    orders = {name: list(range(len(queries))) for name in names}
    with without_retries(client):
        for round_ in range(-warmup, rounds):
            for order in orders.values():
                chance.shuffle(order)
            for step in range(len(queries)):
                chance.shuffle(names)
                for name in names:
                    query = orders[name][step]
                    try:
                        answer = ask(client, systems[name], queries[query], size, track_total_hits)
                    except ERRORS as error:
                        why = explained(client, error)
                        if round_ >= 0:
                            found[name].errors[why] += 1
                    else:
                        if round_ >= 0:
                            found[name].put(round_, query, answer)
            on_progress(round_ + warmup + 1, warmup + rounds)
    return found
