"""Settings: typed, complete, and wrong ones named before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interest_graph.config import Settings, load_settings
from interest_graph.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write_yaml(text):
        path = tmp_path / "pipeline.yaml"
        path.write_text(text)
        return path

    return write_yaml


def test_an_empty_file_gives_the_defaults(write):
    assert load_settings(write("")) == Settings()


def test_overrides_reach_into_sections_and_are_typed(write):
    settings = load_settings(
        write("graph: {min_weight: 0.5}"), ["graph.min_weight=0.1", "as_of=2024-01-01"]
    )

    assert settings.graph.min_weight == 0.1
    assert str(settings.as_of) == "2024-01-01 00:00:00"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grahp: {}", r"^grahp: unknown setting, did you mean graph\?; allowed: .*graph"),
        (
            "graph: {min_wieght: 1}",
            r"^graph.min_wieght: unknown setting, did you mean min_weight\?",
        ),
        (
            "graph: {half_life_days: -1}",
            r"^graph.half_life_days: -1: input should be greater than 0",
        ),
        ("train: {model: magic}", r"^train.model: 'magic': input should be .*lightgcn"),
        (
            "sources: [{name: a, path: b, colums: {}}]",
            r"^sources.0.colums: unknown setting.*columns",
        ),
        ("- a list", "must hold settings as"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_one_line_naming_the_key(write, text, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_settings(write(text))

    assert "\n" not in str(error.value)


def test_two_sources_cannot_share_a_name(write):
    columns = "{user_id: u, item_id: i, event_time: t}"
    source = f"{{name: logs, path: x, columns: {columns}, action: view}}"

    with pytest.raises(ConfigError, match="source names must differ; twice: logs"):
        load_settings(write(f"sources: [{source}, {source}]"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_settings(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("override", ["graph.min_weight", "sources.0.path=x"])
def test_a_malformed_override_is_refused(write, override):
    with pytest.raises(ConfigError, match="override"):
        load_settings(write("sources: []"), [override])


def test_the_reference_file_holds_every_setting_at_its_default():
    reference = Path(__file__).parents[1] / "conf" / "reference.yaml"

    def keys(tree):
        return (
            {(key, *rest) for key, value in tree.items() for rest in (keys(value) or {()})}
            if isinstance(tree, dict)
            else set()
        )

    listed = keys(yaml.safe_load(reference.read_text()))

    assert load_settings(reference) == Settings()
    assert listed == keys(Settings().model_dump(mode="json"))
