"""The help of this project's commands."""

import contextlib
import importlib
import importlib.util
import io

import pytest


def help_of(module: str, *verb: str) -> str:
    """The text that `python -m MODULE VERB --help` prints, made in this process."""
    package = importlib.util.find_spec(module)
    assert package is not None, f"no module {module}"
    command = importlib.import_module(f"{module}.__main__" if package.submodule_search_locations else module)
    with contextlib.redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
        command.main([*verb, "--help"])
    assert ended.value.code == 0
    return said.getvalue()
