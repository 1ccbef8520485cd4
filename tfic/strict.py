"""Settings out of mappings, such as the tables of a TOML file: strict on unknown keys and on types.

A setting that was renamed is known by its first name as well.
"""

import difflib
from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass, replace
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def renamed(default: T, first: str) -> T:
    """A field of settings that had another name at first: files and stores that have the first name are still read."""
    return field(default=default, metadata={"first": first})


def first_names(kind: type) -> dict[str, str]:
    """The first names of the renamed settings of a kind, by their present names. Keys and stored runs keep them."""
    return {each.name: each.metadata["first"] for each in fields(kind) if "first" in each.metadata}


def unknown_key(key: str, known: list[str], where: str) -> ValueError:
    """The error for an unknown key of a mapping, with the nearest known one."""
    return ValueError(f"{where}: unknown key {key!r}{_nearest(key, known)} Known keys: {', '.join(sorted(known))}")


def unknown_name(name: str, known: list[str], noun: str) -> ValueError:
    """The error for a name that no recipe, codec or other thing (`noun`) has, with the nearest that one has."""
    return ValueError(f"no {noun} {name!r}{_nearest(name, known)} There are {', '.join(sorted(known))}")


def _nearest(name: str, known: list[str]) -> str:
    """The question whether the nearest one was meant; a full stop where nothing is known."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"; did you mean {near[0]!r}?" if near else "."


def from_mapping(base: T, values: Mapping[str, Any], where: str) -> T:
    """`base` (a frozen settings object) with `values` laid over it, nested objects as nested mappings.

    Raises:
        ValueError: for an unknown key (naming the nearest) or a value of the wrong type; `where` opens the sentence.
    """
    assert is_dataclass(base)
    assert not isinstance(base, type)
    types = get_type_hints(type(base))
    known = [each.name for each in fields(base)]
    present = {first: name for name, first in first_names(type(base)).items()}
    changed: dict[str, Any] = {}
    for given, value in values.items():
        key = present.get(given, given)
        if key not in known:
            raise unknown_key(key, known, where)
        if key != given and key in values:
            raise ValueError(f"{where}: {given} is the first name of {key}; give one of them")
        current = getattr(base, key)
        if is_dataclass(current):
            if not isinstance(value, Mapping):
                raise ValueError(f"{where}: {key} is {value!r}; it must be a table, [{key}]")
            changed[key] = from_mapping(current, value, f"{where} [{key}]")
        else:
            changed[key] = _typed(value, types[key], f"{where}: {given}")
    return replace(base, **changed)


def _typed(value: Any, wanted: Any, where: str) -> Any:
    """`value` if it is of the `wanted` type (an integer passes for a float, a list for a tuple), else ValueError."""
    if get_origin(wanted) is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} is {value!r}; it must be a list, [...]")
        return tuple(_typed(each, get_args(wanted)[0], where) for each in value)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"{where} is {value!r}; it must be of type {wanted.__name__}")
    return value
