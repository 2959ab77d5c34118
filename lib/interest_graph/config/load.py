"""Reads YAML files and command-line overrides into settings."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from interest_graph.config.settings import Settings
from interest_graph.config.train import TrainConfig
from interest_graph.errors import ConfigError

_SECRET = "mlflow"
# Settings of earlier versions, and what they are called now.
_RENAMED = {"graph.worker_megabytes": "graph.worker_mb"}


def load_settings(
    paths: str | Path | Sequence[str | Path], overrides: Sequence[str] = ()
) -> Settings:
    """Read the settings from one file, or from several, of which later ones override earlier ones.

    overrides: settings such as "graph.min_weight=0.1", which override the files. Raises ConfigError
    with the wrong key and what is allowed.
    """
    tree: dict[str, Any] = {}
    for path in [paths] if isinstance(paths, str | Path) else paths:
        tree = _merged(tree, _read_yaml(Path(path)))
    for override in overrides:
        _apply(tree, override)
    settings = _validated(tree)
    require_space(settings)
    return settings


def change_train(train: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """A copy of the settings with changes by dotted name, such as {"train.als.rank": 32}.

    A single value for a setting that is a list becomes its only candidate. Raises ConfigError with
    the wrong key and what is allowed.
    """
    tree = {"train": train.model_dump()}
    for key, value in values.items():
        _set(tree, key, value, into_lists=True)
    return _validated(tree).train


def pick_train(train: TrainConfig, names: Iterable[str]) -> dict[str, Any]:
    """The named settings, such as train.als.rank, with their values, as nested dicts for YAML."""
    everything = {"train": train.model_dump(mode="json")}
    tree: dict[str, Any] = {}
    for name in names:
        _set(tree, name, reduce(getitem, name.split("."), everything))
    return tree


def require_space(settings: Settings) -> None:
    """Raise ConfigError unless all settings in tune.space exist and can take their values."""
    for name, value in settings.tune.extremes():
        try:
            change_train(settings.train, {name: value})
        except ConfigError as error:
            raise ConfigError("tune.space", str(error)) from None


def _validated(tree: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise _first_problem(error) from None


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge two trees: dicts key by key; other values, also lists, are taken from `over`."""
    both = {key for key in over if isinstance(under.get(key), dict) and isinstance(over[key], dict)}
    return {**under, **over, **{key: _merged(under[key], over[key]) for key in both}}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = " ".join(str(error).split())
        raise ConfigError(str(path), f"is not valid YAML: {where}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(str(path), "must hold settings as `key: value`")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise ConfigError(override, "an override is written key.key=value")
    _set(tree, key, yaml.safe_load(text))


def _set(tree: dict[str, Any], key: str, value: Any, *, into_lists: bool = False) -> None:
    *parents, leaf = key.strip().split(".")
    branch: Any = tree
    for parent in parents:
        branch = branch.setdefault(parent, {}) if isinstance(branch, dict) else None
    if not isinstance(branch, dict):
        raise ConfigError(key, "an override reaches into sections only, not into lists or values")
    is_candidate = into_lists and isinstance(branch.get(leaf), list) and not isinstance(value, list)
    branch[leaf] = [value] if is_candidate else value


def _first_problem(error: ValidationError) -> ConfigError:
    """The first problem as one line, with the number of further ones."""
    problems = error.errors()
    # An unknown key first: if it is a misspelt one, it explains why a required key is missing.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    key = ".".join(str(part) for part in first["loc"]) or "settings"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if key in _RENAMED:
        return ConfigError("settings", f"{key} is now {_RENAMED[key]}{more}")
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"])
        near = get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        return ConfigError(key, f"unknown setting{hint}{more}", known)
    if first["type"] == "missing":
        return ConfigError(key, f"is required{more}")
    given = repr(first["input"]) if not isinstance(first["input"], Mapping) else "the section"
    if _SECRET in first["loc"]:
        given = "the value"  # a tracking URI may hold a password
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(key, f"{given}: {message[0].lower()}{message[1:]}{more}")


def _known_keys(location: Sequence[int | str]) -> list[str]:
    """Names of all settings of the section that `location`, without its last part, leads to."""
    model: type[BaseModel] = Settings
    for part in location[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = _section_in(model.model_fields[part].annotation) or model
    return sorted(model.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section class within an annotation such as list[SourceConfig] or Section | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, Union, types.UnionType) or get_args(annotation):
        found = (_section_in(part) for part in get_args(annotation))
        return next((section for section in found if section), None)
    return None
