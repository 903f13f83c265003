"""The plots: drawn once by matplotlib, kept as PNG and SVG files or put into the page.

On the page a plot is drawn twice, for wide and for narrow screens, with text left as text and colours as CSS variables,
so that it follows the reader's fonts and dark mode.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.evaluation.report.figures import latency, load, relevance, scale, tradeoff
from opensearch_lsr.evaluation.report.figures.canvas import COLOURS, WIDE, Canvas
from opensearch_lsr.evaluation.report.reading import Part, titles

_XLINK = "{http://www.w3.org/1999/xlink}href"
_DECIMALS = re.compile(r"\d+\.\d{2,}")
_DRAWN = {"d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "transform"}
_FONT = re.compile(r"font(-family)?:[^;]*'[^;]*;?\s*")


@dataclass(frozen=True)
class Plot:
    """A plot that a run has the figures for.

    Attributes:
        name: of its files, and in the page.
        caption: what is seen, in a sentence or two.
        draw: draws it onto a canvas and returns the matplotlib figure.
    """

    name: str
    caption: str
    draw: Callable[[Canvas], Any]


def plots(results: Part) -> dict[str, Plot]:
    """The plots that a run, finished or not, has figures for, by name."""
    makers = (relevance, latency, load, scale, tradeoff)
    found = {}
    for maker in makers:
        caption = maker.caption(results)
        if caption:
            name = maker.__name__.rpartition(".")[2]
            found[name] = Plot(name, caption, lambda canvas, draw=maker.draw: draw(canvas, results))  # type: ignore[misc]
    return found


def save(results: Part, folder: Path) -> list[Path]:
    """Write each plot as PNG (two pixels a point) and SVG (text as outlines).

    Raises:
        MissingExtraError: when matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plot in plots(results).values():
        for kind, settings in (("png", {"dpi": 144}), ("svg", {"metadata": {"Date": None}})):
            file = folder / f"{plot.name}.{kind}"
            file.write_bytes(_render(plot, list(titles(results)), WIDE, kind, "path", settings))
            written.append(file)
    return written


def inline(plot: Plot, systems: list[str], width: int) -> str:
    """The plot as an ``<svg>`` element for an HTML page.

    Raises:
        MissingExtraError: when matplotlib is not installed.
    """
    root = ElementTree.fromstring(_render(plot, systems, width, "svg", "none", {"metadata": {"Date": None}}))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")) or child.get("id") == "patch_1":  # patch_1: the background
                parent.remove(child)
    text = f"{plot.name}-{width}"
    for element in root.iter():
        _adapt(element, text)
    root.attrib = {"viewBox": root.attrib["viewBox"], "aria-hidden": "true", "focusable": "false"}
    return _coloured(ElementTree.tostring(root, encoding="unicode"))


def _adapt(element: ElementTree.Element, prefix: str) -> None:
    """Names without namespaces, ids of this plot's own, the page's fonts."""
    element.tag = element.tag.rpartition("}")[2]
    name = element.attrib.pop("id", None)
    if name is not None and element.tag != "g":
        element.set("id", f"{prefix}-{name}")
    target = element.attrib.pop(_XLINK, None)
    if target is not None:
        element.set("href", f"#{prefix}-{target.removeprefix('#')}")
    for key, value in list(element.attrib.items()):
        if key == "clip-path":
            element.set(key, value.replace("url(#", f"url(#{prefix}-"))
        elif key == "style":
            element.set(key, _FONT.sub("", value))
        elif key in _DRAWN:
            element.set(key, " ".join(_DECIMALS.sub(lambda found: f"{float(found[0]):.4g}", value).split()))
    element.text = element.text and element.text.strip()
    element.tail = None


def _coloured(svg: str) -> str:
    """Colours as CSS variables of the page."""
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg


def _render(plot: Plot, systems: list[str], width: int, kind: str, text: str, settings: dict[str, Any]) -> bytes:
    with needs_extra("report", "drawing plots"):
        import matplotlib
    # No pyplot: nothing global is touched. A title with $ is not a formula. The salt makes ids the same every time.
    options = {"svg.fonttype": text, "svg.hashsalt": plot.name, "text.parse_math": False, "axes.unicode_minus": True}
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **options}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # other scripts: the reader's fonts have them
        figure = plot.draw(Canvas(width, systems))
        held = io.BytesIO()
        figure.savefig(held, format=kind, facecolor=COLOURS["paper"], **settings)
    return held.getvalue()
