"""Runs the command line and sends itself a signal at a request (run by test_migrate_killed.py).

``killed_migrate.py before|after N PATTERN SIGNAL ARGUMENTS…``: at the N-th request whose "METHOD path" has the pattern.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Any

from opensearchpy import Transport

from opensearch_lsr.cli.main import main
from opensearch_lsr.cluster import bulk

moment, last, pattern, name = sys.argv[1], int(sys.argv[2]), re.compile(sys.argv[3]), sys.argv[4]
sys.argv = ["opensearch-lsr", *sys.argv[5:]]
bulk.CLIENT_BATCH = 20  # so that copying has a middle
send = Transport.perform_request
found = 0


def counted(self: Transport, method: str, path: str, *args: Any, **rest: Any) -> Any:
    global found
    fits = bool(pattern.search(f"{method} {path}"))
    found += fits
    if fits and found == last and moment == "before":
        os.kill(os.getpid(), signal.Signals[name])
    answer = send(self, method, path, *args, **rest)
    if fits and found == last and moment == "after":
        os.kill(os.getpid(), signal.Signals[name])
    return answer


Transport.perform_request = counted  # type: ignore[method-assign]
main()
