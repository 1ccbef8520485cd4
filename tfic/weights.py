"""Sums of named terms, written as text: `ctc`, `ctc+features`, `0.5*ctc+2*features`."""

import math
from collections.abc import Mapping, Sequence


def parse(text: str, known: Sequence[str], what: str) -> dict[str, float]:
    """The weight of each term of a sum, 1 where none is written.

    Args:
        text: terms joined by `+`, each a known name, or a positive number, `*` and a known name.
        known: the names.
        what: the setting, which opens an error's sentence.

    Raises:
        ValueError: for an unknown or repeated name, or a weight that is not positive.
    """
    example = f"{known[0]}, or a sum such as {known[0]}+0.5*{known[-1]}"
    weights: dict[str, float] = {}
    for term in text.split("+"):
        number, _, name = term.rpartition("*")
        name = name.strip()
        if name not in known:
            raise ValueError(f"{what} is {text!r}; {name!r} is none of {', '.join(known)}; write {example}")
        if name in weights:
            raise ValueError(f"{what} is {text!r}; {name} is in it twice; add its weights up")
        try:
            weight = float(number) if number or "*" in term else 1.0
        except ValueError:
            weight = math.nan
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"{what} is {text!r}; the weight of {name} must be a positive number; write {example}")
        weights[name] = weight
    return weights


def chosen(text: str, known: Sequence[str], what: str) -> tuple[str, ...]:
    """The names in `a+b`, which have no weights; none in "".

    Raises:
        ValueError: for an unknown or repeated name; `what` is the setting, which opens the sentence.
    """
    names = tuple(text.split("+")) if text else ()
    if set(names) - set(known) or len(set(names)) < len(names):
        raise ValueError(f"{what} is {text!r}; it must be some of {', '.join(known)}, each once, with + between them")
    return names


def from_assignments(text: str, short: Mapping[str, str]) -> str:
    """The sum that `ppocr=1,easyocr=0.5` stands for, `ppocrv6-small+0.5*easyocr`; a sum is returned as it is.

    Args:
        text: names with weights, or a sum as `parse` takes it; either may use short names.
        short: the full name of each short one.
    """
    terms = []
    for term in text.replace("+", ",").split(","):
        named, _, assigned = term.partition("=")
        number, _, name = named.rpartition("*")
        weight, name = (assigned or number).strip(), name.strip()
        terms.append(f"{weight}*" * (weight not in ("", "1")) + short.get(name, name))
    return "+".join(terms)
