"""User code in settings and commands, named as `module:attribute`.

The module must be importable wherever it is used: on the driver, and by the workers where the code
runs there (docs/extending.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from interest_graph.errors import ConfigError

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_plugin(name: str) -> bool:
    """Whether the name has the form `module:attribute`, such as my_models:TopSellers."""
    return _NAME.fullmatch(name) is not None


def find_plugin(name: str) -> Any:
    """The object that `module:attribute` names.

    Raises ValueError, so that validators of settings can add the setting's name.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = import_module(module_name)
    except Exception as error:  # a user's module may raise anything
        raise ValueError(_import_problem(module_name, error)) from None
    if not hasattr(module, attribute):
        raise ValueError(f"module {module_name} has no {attribute}")
    return getattr(module, attribute)


def find_function(name: str) -> Callable[..., Any]:
    """The function or class that `module:attribute` names. Raises ValueError."""
    found = find_plugin(name)
    if not callable(found):
        raise ValueError(f"{name} is of type {type(found).__name__}: it cannot be called")
    function: Callable[..., Any] = found
    return function


def load_function(setting: str, name: str) -> Callable[..., Any]:
    """The function or class that `module:attribute` names. Raises ConfigError with the setting."""
    try:
        return find_function(name)
    except ValueError as problem:
        raise ConfigError(setting, str(problem)) from None


def file_name(name: str) -> str:
    """The name as part of a path: Hadoop's file systems take no colon."""
    return name.replace(":", ".")


def _import_problem(module_name: str, error: Exception) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is not None and f"{module_name}.".startswith(f"{missing}."):
        advice = "put its folder on PYTHONPATH, or its file into --py-files of spark-submit"
        return f"there is no module {missing} on Python's path: {advice}"
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"module {module_name} cannot be imported ({reason})"
