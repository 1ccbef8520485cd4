"""The settings in which two tables differ, in words."""

import re
from collections.abc import Mapping
from typing import Any

DIGITS = 10
"""Digits that are shown of a digest."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The settings that differ between two tables, as `train.pretrain_steps 600 -> 700`, nested ones with dots."""
    flat_before, flat_after = _flat(before), _flat(after)
    return [
        f"{name} {_shown(flat_before.get(name, 'none'))} -> {_shown(flat_after.get(name, 'none'))}"
        for name in dict.fromkeys((*flat_before, *flat_after))
        if flat_before.get(name) != flat_after.get(name)
    ]


def _shown(value: Any) -> str:
    """A value for people: of a digest the first digits."""
    text = str(value)
    return text[:DIGITS] if re.fullmatch(r"[0-9a-f]{64}", text) else text


def _flat(settings: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{at}{name}.") if isinstance(value, Mapping) else {f"{at}{name}": value}
    return found
