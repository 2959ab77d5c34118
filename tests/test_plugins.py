"""Names of a user's own code: their form, what they lead to, and what is said of wrong ones."""

from __future__ import annotations

import json

import pytest

from interest_graph.errors import ConfigError
from interest_graph.plugins import file_name, find_function, find_plugin, is_plugin, load_function


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my_models:TopSellers", True),
        ("shop.models:TopSellers", True),
        ("lightgcn", False),
        ("my_models:", False),
        (":TopSellers", False),
        ("my-models:Top", False),
        ("a:b:c", False),
        ("file:/a/b", False),
    ],
)
def test_the_form_of_a_name(name, expected):
    assert is_plugin(name) == expected


def test_a_name_leads_to_the_object():
    assert find_plugin("json:dumps") is json.dumps
    assert find_function("json.decoder:JSONDecoder") is json.JSONDecoder


def test_what_a_module_raises_when_it_is_imported_is_one_line(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_of_plugins.py").write_text("raise RuntimeError('no\\nluck')")

    with pytest.raises(ConfigError) as error:
        load_function("train.model", "broken_of_plugins:Model")

    problem = "module broken_of_plugins cannot be imported (RuntimeError: no)"
    assert str(error.value) == f"train.model: {problem}"


def test_a_name_is_part_of_a_path_without_its_colon():
    assert file_name("my_models:TopSellers") == "my_models.TopSellers"
    assert file_name("als") == "als"
