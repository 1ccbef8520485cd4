"""CompressAI's entropy models, imported without the rest of CompressAI.

`import compressai` imports all that the package has: its point clouds bring torch_geometric and torch's compiler, some
two seconds and 100 MB of every process. Here the package is in `sys.modules` before its `__init__` has run, which runs
at the first use of a name that only it defines. So whoever imports more of CompressAI gets all of it, as ever.
"""

import importlib
import importlib.util
import sys
import types
import warnings
from typing import Any


class _Deferred(types.ModuleType):
    """A package whose `__init__` has not run yet."""

    def __getattr__(self, name: str) -> Any:
        """A module of the package, or a name for which its `__init__` has to run."""
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(name)
        if importlib.util.find_spec(f"{self.__name__}.{name}"):
            return importlib.import_module(f"{self.__name__}.{name}")
        object.__setattr__(self, "__class__", types.ModuleType)
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _defer(package: str) -> None:
    """Register the package with the names that its entropy models ask for; its `__init__` defines the same."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    module = importlib.util.module_from_spec(spec)
    module.__class__ = _Deferred
    module.__dict__.update(get_entropy_coder=lambda: "ans", available_entropy_coders=lambda: ["ans"])
    sys.modules[package] = module


if "compressai" not in sys.modules:
    _defer("compressai")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # compressai scripts its bounds at import, which torch calls deprecated
    from compressai.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional

__all__ = ["EntropyBottleneck", "EntropyModel", "GaussianConditional"]
