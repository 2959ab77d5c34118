"""A self-contained HTML page with sections of text, charts and tables. No Spark here."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from interest_graph.evaluate.charts import Figure

_DRAW = """
for (const source of document.querySelectorAll("script[data-chart]")) {
  const figure = JSON.parse(source.textContent);
  const settings = {responsive: true, displayModeBar: false, displaylogo: false, scrollZoom: false};
  Plotly.newPlot(source.dataset.chart, figure.data, figure.layout, settings);
}
"""


@dataclass(frozen=True)
class Grid:
    """A table. numeric: numbers of columns to align right; marked: numbers of rows to highlight."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()
    title: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: an explaining text, then charts by name, then tables."""

    id: str
    title: str
    text: str
    charts: Mapping[str, Figure] = field(default_factory=dict)
    tables: Sequence[Grid] = ()


@dataclass(frozen=True)
class Tile:
    """A key figure at the top of the page."""

    label: str
    value: str


@dataclass(frozen=True)
class Page:
    """The whole report."""

    project: str
    as_of: str
    tiles: Sequence[Tile]
    sections: Sequence[Section]

    @property
    def charts(self) -> dict[str, Figure]:
        """Every chart of the page by name."""
        return {name: chart for part in self.sections for name, chart in part.charts.items()}


def render(page: Page) -> str:
    """The page as HTML that needs no network.

    Texts are escaped. As a second barrier against scripts in the data, the content security policy
    allows only the page's own two scripts, by their digests.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    source = files("interest_graph.evaluate").joinpath("templates/report.html.j2")
    template = environment.from_string(source.read_text(encoding="utf-8"))
    plotly = _plotly()
    hashes = " ".join(_policy_hash(script) for script in (plotly, _DRAW))
    return template.render(page=page, plotly=plotly, draw=_DRAW, script_hashes=hashes)


@cache
def _plotly() -> str:
    # A browser hashes the text between the tags after it has normalised newlines.
    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script")


def _policy_hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
