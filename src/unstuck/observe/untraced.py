"""Keeps torch's compiler away from what is ours.

While compiled code of the program runs, the compiler is offered every Python frame that begins,
those of our hooks as well.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from unstuck.observe.source.sites import OWN_FOLDER

# Modules whose frames come first.
_BORDER = ("calls", "fast_path", "guard", "hooks.backward", "hooks.dropout", "hooks.initialisers",
           "hooks.losses", "hooks.modules", "hooks.optimizers", "hooks.taps", "recursion", "stop")


def spare_compiler() -> Callable[[Any], Any]:
    """Lets the compiler, which is imported here, pass by the frames that the program enters.

    Returns:
        What sets the compiler's callback for new frames, and returns the one before: with None no
        frame that begins is offered to it.
    """
    import torch
    from torch._dynamo.eval_frame import skip_code

    for name in _BORDER:
        for code in _codes(vars(sys.modules[f"unstuck.observe.{name}"])):
            skip_code(code)
    found: Callable[[Any], Any] = torch._C._dynamo.eval_frame.set_eval_frame
    return found


def any_compiled() -> bool:
    """Whether there is a compiled model already."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    kind = getattr(dynamo, "OptimizedModule", None)
    kinds = [kind, *kind.__subclasses__()] if isinstance(kind, type) else []
    return any(type(thing) in kinds for thing in gc.get_referrers(*kinds)) if kinds else False


def _codes(names: dict[str, Any]) -> Iterator[CodeType]:
    """The code of all functions that a module or a class defines, with what they define inside."""
    for value in names.values():
        if isinstance(value, type) and value.__module__.startswith("unstuck.observe"):
            yield from _codes(dict(vars(value)))
        code = getattr(getattr(value, "fget", value), "__code__", None)
        if isinstance(code, CodeType) and code.co_filename.startswith(OWN_FOLDER):
            yield from _nested(code)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
