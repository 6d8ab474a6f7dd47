"""Configuration errors in the reader's words: which file, which key, what is allowed, what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rtseg.core import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], content: Mapping[str, Any], source: str) -> Model:
    """``content`` as ``model``. Raises ConfigError naming the source, the key and, for an unknown key, the nearest known one."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [_line(model, problem) for problem in error.errors()]
        raise ConfigError(f"{source}: " + "; ".join(lines)) from error


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises ConfigError if it is not there, or is none."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold names and values, found {type(content).__name__}")
    return content


def nearest(name: str, known: list[str]) -> str:
    """A hint for a name that does not exist: the nearest one, or all of them."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(sorted(known)) or 'none'}"


def _line(model: type[BaseModel], problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key {place}; {nearest(str(problem['loc'][-1]), _names(model, problem['loc'][:-1]))}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _names(part: Any, path: tuple[Any, ...]) -> list[str]:
    """Field names at a place in a model, as far as types tell."""
    for step in path:
        known = _types(part)
        part = known.get(str(step))
    return list(_types(part))


def _types(part: Any) -> dict[str, Any]:
    if isinstance(part, type) and issubclass(part, BaseModel):
        return {name: field.annotation for name, field in part.model_fields.items()}
    if isinstance(part, type) and is_dataclass(part):
        from typing import get_type_hints

        hints = get_type_hints(part)
        return {field.name: hints[field.name] for field in fields(part)}
    return {}
