"""Settings: typed, complete, and wrong ones named before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interest_graph.config import Settings, change_train, load_settings, pick_train
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
        (
            "sources: [{name: a, path: b, columns: {user_id: u, item_id: i, event_time: t}, "
            "action: view, time: {format: 'YYYY-MM-DD HH:mm:ss'}}]",
            r"^sources.0.time.format: 'YYYY-MM-DD HH:mm:ss': the part YYYY stands for years of we",
        ),
        (
            "sources: [{name: a, path: b, columns: {user_id: u, item_id: i, event_time: t}, "
            "action: view, time: {zone: Berlin}}]",
            r"^sources.0.time.zone: 'Berlin': must be a time zone",
        ),
        (
            "clean: {rules: [{reason: a, column: value, must: 'valeu > 3'}]}",
            r"^clean.rules.0.must: 'valeu > 3': cannot be run: .*valeu.*columns: source, event_id",
        ),
        (
            "clean: {rules: [{reason: a, column: user_id, must: \"user_id RLIKE 'a'\"}]}",
            r"^clean.rules.0.must: .*: in DuckDB, there is no RLIKE: write regexp_matches",
        ),
        ("- a list", "must hold settings as"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_one_line_naming_the_key(write, text, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_settings(write(text))

    assert "\n" not in str(error.value)


PLUGINS = """
def make(*_):
    return None

NUMBER = 5
"""
SOURCE = "columns: {user_id: u, item_id: i, event_time: t}, action: view, name: s, path: x"
PLACES = [
    ("train.model", "train: {model: NAME}"),
    ("tune.model", "tune: {model: NAME}"),
    ("train.blend.sources.1", "train: {blend: {sources: [als, NAME]}}"),
    ("evaluate.baselines.0", "evaluate: {baselines: [NAME]}"),
    ("graph.prune.extra.0", "graph: {prune: {extra: [NAME]}}"),
    ("sources.0.format", f"sources: [{{format: NAME, {SOURCE}}}]"),
]


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_of_config.py").write_text(PLUGINS)
    (tmp_path / "broken_of_config.py").write_text("import absent_library\n")


@pytest.mark.parametrize(("setting", "text"), PLACES, ids=[setting for setting, _ in PLACES])
def test_code_of_ones_own_is_named_by_module_and_attribute(write, own_module, setting, text):
    settings = load_settings(write(text.replace("NAME", '"own_of_config:make"')))

    place = settings.model_dump()
    for part in setting.split("."):
        place = place[int(part) if part.isdigit() else part]
    assert place == "own_of_config:make"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("own_of_config:mak", "module own_of_config has no mak"),
        ("own_of_config:NUMBER", "own_of_config:NUMBER is of type int: it cannot be called"),
        ("absent.of.config:make", "there is no module absent on Python's path: put its folder"),
        ("broken_of_config:make", "ModuleNotFoundError: No module named 'absent_library'"),
        ("own_of_config", "input should be .*module:attribute of your own"),
    ],
)
@pytest.mark.parametrize(("setting", "text"), PLACES, ids=[setting for setting, _ in PLACES])
def test_a_wrong_module_or_name_is_one_line_with_the_setting(
    write, own_module, setting, text, name, problem
):
    with pytest.raises(ConfigError, match=problem) as error:
        load_settings(write(text.replace("NAME", f'"{name}"')))

    assert str(error.value).startswith(f"{setting}: '{name}': ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("override", [[], ["graph.worker_megabytes=5"]])
def test_an_old_name_of_a_setting_is_refused_with_the_new_one(write, override):
    text = "graph: {}" if override else "graph: {worker_megabytes: 5}"

    with pytest.raises(ConfigError, match=r"graph\.worker_megabytes is now graph\.worker_mb$"):
        load_settings(write(text), override)


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


SPACES = [
    ("train.lerning_rate: {kind: float, low: 1, high: 2}", "train.lerning_rate: unknown setting, "),
    ("train.dimension: {kind: int, low: 0, high: 8}", "train.dimension: 0: input should be great"),
    ("train.loss: {kind: categorical, choices: [bpr, hinge]}", "train.loss: 'hinge': input should"),
    ("train.dimension: {kind: float, low: 4.5, high: 8}", "train.dimension: 4.5: input should be"),
    ("train.dropout: {kind: float, low: 0.5}", "train.dropout: the section: float takes low and"),
    ("train.dropout: {kind: float, low: 0, high: 1, log: true}", "above 0 for log"),
    ("train.n_layers: {kind: int, low: 1.5, high: 2}", "must be whole numbers"),
    ("train.loss: {kind: categorical}", "categorical takes choices and nothing else"),
    ("train.loss: {kind: any, choices: [bpr]}", "tune.space.train.loss.kind: 'any': input should"),
    ("graph.min_weight: {kind: float, low: 0, high: 1}", "graph.min_weight is no setting of train"),
    ("train.validation.k: {kind: int, low: 1, high: 9}", "train.validation.k cannot be tuned"),
]


@pytest.mark.parametrize(("space", "message"), SPACES)
def test_a_wrong_search_space_is_one_line(write, space, message):
    with pytest.raises(ConfigError) as error:
        load_settings(write(f"tune: {{space: {{{space}}}}}"))

    assert str(error.value).startswith("tune.space")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_later_file_overrides_sections_key_by_key(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "project: a\ntrain: {dimension: 8, ease: {l2: [1.0, 2.0]}, seed: 1}"
    )
    (tmp_path / "b.yaml").write_text("train: {dimension: 16, ease: {l2: [3.0]}}")

    settings = load_settings([tmp_path / "a.yaml", tmp_path / "b.yaml"], ["train.seed=2"])

    assert settings.project == "a"
    assert (settings.train.dimension, settings.train.ease.l2, settings.train.seed) == (16, [3.0], 2)


def test_a_changed_setting_that_is_a_list_of_candidates_takes_one_value():
    train = change_train(Settings().train, {"train.als.rank": 8, "train.model": "als"})

    assert (train.als.rank, train.model, train.als.alpha) == (
        [8],
        "als",
        Settings().train.als.alpha,
    )
    with pytest.raises(ConfigError, match=r"^train.als.rnak: unknown setting, did you mean rank"):
        change_train(train, {"train.als.rnak": 8})


def test_picked_settings_are_a_tree_that_a_file_may_hold():
    picked = pick_train(Settings().train, ["train.model", "train.als.rank", "train.als.alpha"])

    assert picked == {"train": {"model": "auto", "als": {"rank": [64], "alpha": [5.0]}}}


def test_the_example_search_space_is_valid_on_top_of_an_example():
    conf = Path(__file__).parents[1] / "conf"

    settings = load_settings([conf / "ml-100k.yaml", conf / "tune.yaml"])

    assert (settings.project, len(settings.tune.space)) == ("ml-100k", 6)


def test_blurring_and_sharpening_are_valid_on_top_of_an_example():
    conf = Path(__file__).parents[1] / "conf"

    settings = load_settings([conf / "gowalla.yaml", conf / "bspm.yaml"])

    weighed = settings.train.blend.weights
    assert (settings.project, weighed) == ("gowalla", {"graph_filter": 1.0, "spectral": 0.2})
