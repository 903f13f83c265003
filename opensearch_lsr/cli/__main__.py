"""``python -m opensearch_lsr.cli``, for where the command is not on the PATH."""

from opensearch_lsr.cli.main import main

main()
