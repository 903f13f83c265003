"""Import cost is a feature: what each entry point may load, asked of a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "numpy",
    "torch",
    "transformers",
    "onnxruntime",
    "sentence_transformers",
    "opensearchpy",
    "rich",
    "huggingface_hub",
}


def third_party(code: str) -> set[str]:
    """Top-level modules that are neither the standard library's nor ours after running ``code``."""
    ask = (
        "import sys, json; before = set(sys.modules)\n"
        + code
        + (
            "\nnew = {name.partition('.')[0] for name in set(sys.modules) - before}"
            "\nprint(json.dumps(sorted(new - set(sys.stdlib_module_names))))"
        )
    )
    out = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    return {name for name in json.loads(out.splitlines()[-1]) if not name.startswith(("opensearch_lsr", "_", "__"))}


def test_importing_the_package_loads_nothing_third_party() -> None:
    assert third_party("import opensearch_lsr; opensearch_lsr.LSRError; dir(opensearch_lsr)") == set()


def test_the_query_path_needs_only_tokenizers() -> None:
    code = "from opensearch_lsr import QueryEncoder; assert QueryEncoder.from_pretrained('default').encode('noise')"
    assert third_party(code) == {"tokenizers"}


def test_help_needs_only_click() -> None:
    code = "from opensearch_lsr.cli.main import cli\ntry: cli(['--help'])\nexcept SystemExit: pass"
    assert third_party(code) <= {"click", "colorama"}


def test_every_commands_help_stays_light() -> None:
    code = (
        "from opensearch_lsr.cli.main import cli, COMMANDS\n"
        "for name in COMMANDS:\n try: cli([name, '--help'])\n except SystemExit as e: assert e.code == 0, name"
    )
    assert not third_party(code) & HEAVY
