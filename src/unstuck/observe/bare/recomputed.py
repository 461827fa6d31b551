"""What an operation of a graph made, where the graph has not kept it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Recomputed(torch.Tensor):  # type: ignore[misc]
    """Values that were computed once more, in the place of those that a node of a graph made.

    To its readers it is the program's own tensor: it requires gradients, its `grad_fn` is that
    node, and a hook hears of the gradient there. No operation on it is recorded.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl
    node: Any

    @property
    def grad_fn(self) -> Any:
        """The node."""
        return self.node

    @property
    def requires_grad(self) -> bool:
        """It does."""
        return True

    @property
    def is_leaf(self) -> bool:
        """An operation made it."""
        return False

    def register_hook(self, hook: Callable[[Any], Any]) -> Any:
        """Lets a hook hear of the gradient at the node; it changes none."""
        def tell(gradients: Any) -> None:
            if gradients and gradients[0] is not None:
                hook(gradients[0])

        return self.node.register_prehook(tell)


def standing_for(node: Any, values: torch.Tensor) -> torch.Tensor:
    """Values in the place of what a node made."""
    found = values.detach().as_subclass(Recomputed)
    found.node = node
    return found
