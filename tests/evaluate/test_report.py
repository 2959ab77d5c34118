from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from interest_graph.evaluate.charts import label
from interest_graph.evaluate.page import render
from interest_graph.evaluate.sections import Findings, make_page

HOSTILE = "<script>alert('x')</script> & \"Sons\""
ESCAPED = "&lt;script&gt;alert('x')&lt;/script&gt; &amp;"
REMOTE = re.compile(r"^\s*(?:[a-z]+:)?//", re.IGNORECASE)


class Reader(HTMLParser):
    """Scripts with their attributes, every attribute, and the text outside scripts and styles."""

    def __init__(self):
        super().__init__()
        self.attributes, self.scripts, self.texts, self.inside = [], [], [], None

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        self.inside = tag
        if tag == "script":
            self.scripts.append([dict(attributes), ""])

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1][1] += data
        elif self.inside != "style":
            self.texts.append(data)


def read(findings):
    reader = Reader()
    reader.feed(render(make_page(findings)))
    return reader


@pytest.fixture
def page(findings):
    return read(findings)


def policy_of(page):
    return next(v for _, name, v in page.attributes if name == "content" and "default-src" in v)


def test_page_loads_nothing_from_elsewhere(page):
    loading = ("src", "href", "srcset", "action", "data", "poster", "background", "style")
    found = [a for a in page.attributes if a[1] in loading]
    assert found  # the links of the table of contents
    assert not [a for a in found if REMOTE.search(a[2]) or "url(" in a[2]]
    assert not [a for a in page.attributes if a[0] in ("link", "iframe", "base", "object")]
    assert "default-src 'none'" in policy_of(page)


def test_only_the_pages_own_scripts_may_run(page):
    running = [text for attributes, text in page.scripts if "type" not in attributes]
    allowed = re.findall(r"'sha256-([^']+)'", policy_of(page))
    digests = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in running]
    assert len(running) == 2
    assert digests == allowed


def test_plotly_is_in_the_page_once(page):
    assert sum(len(text) > 1_000_000 for _, text in page.scripts) == 1


def test_hostile_titles_stay_text(page):
    assert any(HOSTILE in text for text in page.texts)
    assert all(
        "alert(" not in text for attributes, text in page.scripts if "type" not in attributes
    )
    for name in ("ego", "item", "communities"):
        chart = charts_of(page)[f"chart-{name}"]
        labels = [label for trace in chart["data"] for label in trace.get("hovertext", [])]
        assert any(label.startswith(ESCAPED) for label in labels)
        shown = [note["text"] for note in chart["layout"]["annotations"]]
        assert any(text.startswith(ESCAPED[:14]) for text in shown)
        assert not any("<" in text for text in shown)


def charts_of(page):
    found = [(a, text) for a, text in page.scripts if a.get("type") == "application/json"]
    return {attributes["data-chart"]: json.loads(text) for attributes, text in found}


def test_every_chart_has_its_place_and_its_data(page):
    charts = charts_of(page)
    places = {value for _, name, value in page.attributes if name == "id"}
    names = ("cleaning", "loss", "validation", "quality", "ego", "item", "degrees", "communities")
    assert set(charts) == {f"chart-{name}" for name in names}
    assert set(charts) <= places
    assert charts["chart-cleaning"]["data"][0]["x"] == [10_240, 87, 150, 3, 10_000]
    assert len(charts["chart-loss"]["data"][0]["x"]) == 30
    degrees = {trace["name"]: trace["x"] for trace in charts["chart-degrees"]["data"]}
    assert degrees == {"items, before": [1, 16], "items, after": [1, 16]}
    *_, circles = charts["chart-communities"]["data"]
    assert circles["marker"]["size"] == sorted(circles["marker"]["size"], reverse=True)
    assert [trace["name"] for trace in charts["chart-item"]["data"] if "name" in trace] == [
        "user",
        "item",
        "similar",
    ]
    bars = {trace["name"]: trace["y"] for trace in charts["chart-quality"]["data"]}
    assert bars["lightgcn"] == pytest.approx([0.4612, 0.4612 * 0.4])
    assert next(iter(bars)) == "lightgcn"


def test_tables_show_the_figures(page):
    text = " ".join(page.texts)
    for figure in ("0.4612", "+0.020 (+0.012, +0.028)", "9,000", "bronze.events v3", "90.0%"):
        assert figure in text
    assert "in 1.83 of 2 shards on average, and 68.2% of the edges" in text
    assert "37,565" in text
    assert "because of Fargo (1996), Fargo, that share Drama, Crime" in text
    assert "gold.x v1" in text
    assert "gold.never" not in text


def test_a_pipeline_that_has_not_run_gives_an_empty_page(findings):
    page = read(Findings(project=findings.project, as_of=findings.as_of))
    assert not charts_of(page)
    assert any("films" in text for text in page.texts)


def test_a_long_label_keeps_its_two_ends():
    assert label("/presentations/logstash-scale11x/images/kibana.png") == (
        "/presentations/lo…mages/kibana.png"
    )
    assert label("x" * 34) == "x" * 34
