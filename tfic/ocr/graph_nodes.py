"""What the nodes of a traced network stand for."""

from torch import Tensor, fx, nn


def module_of(network: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module that a node calls; None for another node."""
    return network.get_submodule(str(node.target)) if node.op == "call_module" else None


def constant_of(network: fx.GraphModule, node: fx.Node) -> Tensor | None:
    """The tensor that a node stands for; None where it is computed."""
    if node.op != "get_attr":
        return None
    folder, _, name = str(node.target).rpartition(".")
    found = getattr(network.get_submodule(folder), name)
    assert isinstance(found, Tensor)
    return found
