"""The command line with another patience, and timeout of bulk requests: ``patient.py SECONDS SECONDS ARGUMENTS…``."""

from __future__ import annotations

import sys

from opensearch_lsr.cli.main import main
from opensearch_lsr.cluster import operations
from opensearch_lsr.cluster.connect import connect

connect.__kwdefaults__["patience"], operations.TIMEOUT = float(sys.argv[1]), float(sys.argv[2])
sys.argv = ["opensearch-lsr", *sys.argv[3:]]
main()
