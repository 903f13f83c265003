"""All of a report into a folder."""

from __future__ import annotations

from pathlib import Path

from opensearch_lsr.evaluation.report import html, markdown, plots
from opensearch_lsr.evaluation.report.reading import Part


def write(results: Part, folder: Path) -> list[Path]:
    """Write ``report.html``, ``table.md`` and ``plots/*.png``, ``plots/*.svg``.

    Args:
        results: what ``results.json`` holds, of a run that finished or not.
        folder: made if need be; files of these names are replaced.

    Returns:
        What was written, the page first.

    Raises:
        MissingExtraError: when jinja2 or matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = {folder / "report.html": html.page(results), folder / "table.md": markdown.page(results)}
    for path, content in pages.items():
        path.write_text(content, encoding="utf-8")
    return [*pages, *plots.save(results, folder / "plots")]
