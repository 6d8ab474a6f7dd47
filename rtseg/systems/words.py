"""Configuration errors in the reader's words: which file, which key, what is allowed, what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

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
    place, names = _at(model, problem["loc"])
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key {place}; {nearest(str(problem['loc'][-1]), names)}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _at(model: type[BaseModel], path: tuple[Any, ...]) -> tuple[str, list[str]]:
    """A place as its keys name it, and the names that are known beside its last key, as far as types tell.

    Where one of several parts may be meant, pydantic puts the tag of the one among the keys.
    """
    members: tuple[Any, ...] = (model,)
    keys, known = [], [*_types(model)]
    for step in path:
        if tagged := [member for member in members if len(members) > 1 and getattr(member, TAG, None) == step]:
            members = (tagged[0],)
            continue
        known = [name for member in members for name in _types(member)]
        keys.append(str(step))
        members = next((_members(types[str(step)]) for types in map(_types, members) if str(step) in types), ())
    return ".".join(keys), known


def _members(part: Any) -> tuple[Any, ...]:
    """The types that a part may be of."""
    if get_origin(part) is Annotated:
        return _members(get_args(part)[0])
    is_one_of = isinstance(part, UnionType) or get_origin(part) is Union
    members = tuple(inner for one in get_args(part) for inner in _members(one)) if is_one_of else (part,)
    return tuple(member for member in members if member is not type(None))


def _types(part: Any) -> dict[str, Any]:
    if isinstance(part, type) and issubclass(part, BaseModel):
        return {name: field.annotation for name, field in part.model_fields.items()}
    if isinstance(part, type) and is_dataclass(part):
        hints = get_type_hints(part)
        return {field.name: hints[field.name] for field in fields(part)}
    return {}
