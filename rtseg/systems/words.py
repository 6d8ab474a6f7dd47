"""Configuration errors in the reader's words: which file, which key, what is allowed, what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from rtseg.core import ConfigError

Model = TypeVar("Model", bound=BaseModel)

BOOL = "tag:yaml.org,2002:bool"

TAG = "network"
"""The key that says which of several parts is meant."""


def validated(model: type[Model], content: Mapping[str, Any], source: str) -> Model:
    """``content`` as ``model``. Raises ConfigError naming the source, the key and, for an unknown key, the nearest known one."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [_line(model, problem) for problem in error.errors()]
        raise ConfigError(f"{source}: " + "; ".join(lines)) from error


class Loader(yaml.SafeLoader):
    """Of YAML 1.2's truth values only: `on`, `off`, `yes` and `no` are words, as the key `on` of a term is."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises ConfigError if it is not there, or is none."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader)  # it is a SafeLoader
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
        members = _members(part)
        tagged = [member for member in members if getattr(member, TAG, None) == step]
        part = tagged[0] if tagged else next((known[str(step)] for known in map(_types, members) if str(step) in known), None)
    return [name for member in _members(part) for name in _types(member)]


def _members(part: Any) -> tuple[Any, ...]:
    """The types that a part may be of."""
    if get_origin(part) is Annotated:
        return _members(get_args(part)[0])
    return tuple(inner for one in get_args(part) for inner in _members(one)) if isinstance(part, UnionType) else (part,)


def _types(part: Any) -> dict[str, Any]:
    if isinstance(part, type) and issubclass(part, BaseModel):
        return {name: field.annotation for name, field in part.model_fields.items()}
    if isinstance(part, type) and is_dataclass(part):
        hints = get_type_hints(part)
        return {field.name: hints[field.name] for field in fields(part)}
    return {}
