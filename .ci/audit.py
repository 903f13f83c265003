"""Known vulnerabilities among the installed packages, by pip-audit; fails on any that .ci/audit-allowed.txt lacks.

Without a way to the advisories nothing is known, and that is said, not failed on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ALLOWED = Path(__file__).with_name("audit-allowed.txt")  # a line each: ID, then why it does not concern us
OPTIONS = ["--format=json", "--progress-spinner=off", "--skip-editable", "--timeout=10"]


def verdict(report: dict[str, Any], allowed: dict[str, str]) -> tuple[bool, list[str]]:
    """Whether pip-audit's report will do, and what to print about it."""
    packages = report["dependencies"]
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return True, [f"dependencies not audited: {next(iter(skipped), 'none found')}"]
    lines, sound = [], True
    for package in packages:
        for found in package.get("vulns", []):
            names = {found["id"], *found.get("aliases", [])}
            reason = next((why for name, why in allowed.items() if name in names), None)
            fixed = ", ".join(found.get("fix_versions", [])) or "no version yet"
            lines.append(f"{package['name']} {package['version']}: {found['id']} (fixed in {fixed}); {reason or 'NEW'}")
            sound = sound and reason is not None
    lines.append(f"dependencies audited: {len(packages) - len(skipped)}, not audited: {len(skipped)}")
    return sound, lines


def main() -> int:
    allowed = dict(line.split(maxsplit=1) for line in ALLOWED.read_text().splitlines() if not line.startswith("#"))
    try:
        command = [sys.executable, "-m", "pip_audit", *OPTIONS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        report = {"dependencies": [{"skip_reason": "no answer in 180 s"}]}
    except ValueError:
        report = {"dependencies": [{"skip_reason": (done.stderr.strip().splitlines() or ["no report"])[-1][:200]}]}
    sound, lines = verdict(report, allowed)
    print("\n".join(lines))  # noqa: T201
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
