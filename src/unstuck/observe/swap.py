"""Replaces what a function does without replacing the function: its code object is exchanged.

Early `from ... import`, identity, pickling, `inspect.signature` and `torch.jit.script` (which reads
the source) keep working, because the function object stays the same.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from torch.compiler import is_dynamo_compiling

Original = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Swap:
    """A function whose code is exchanged.

    Assigning `old` or `new` to the function's `__code__` turns the new behaviour off and on; that
    costs a tenth of a microsecond.
    """

    function: FunctionType
    old: CodeType
    new: CodeType
    name: str
    original: Original  # a copy with the old behaviour

    @property
    def behaviour(self) -> Callable[..., Any]:
        """The new behaviour."""
        made: Callable[..., Any] = self.function.__globals__[self.name]
        return made

    def behave(self, behaviour: Callable[..., Any]) -> None:
        """Exchanges the new behaviour; costs as little."""
        self.function.__globals__[self.name] = behaviour

    def undo(self) -> None:
        """Restores the old code for good."""
        self.function.__code__ = self.old
        for name in _names(self.name):
            self.function.__globals__.pop(name, None)


def swap(function: FunctionType, make: Callable[[Original], Callable[..., Any]]) -> Swap:
    """Lets `function` run `make(original)` instead of its own code.

    Args:
        function: a plain Python function; it may have free variables.
        make: gets a copy of the function with its old behaviour, returns the new behaviour, which
            receives the arguments as declared (defaults filled in, by position; keyword-only ones
            by keyword).

    Raises:
        RuntimeError: the function is swapped already.
    """
    old = function.__code__
    if key(function) in old.co_names:
        raise RuntimeError(f"{function.__qualname__} is already replaced")
    names = function.__globals__
    if "warnings" in old.co_names and names.get("warnings") is warnings:
        names = {**names, "warnings": _Deeper()}
    original = FunctionType(
        old, names, function.__name__, function.__defaults__, function.__closure__
    )
    original.__kwdefaults__ = function.__kwdefaults__
    original.__qualname__ = function.__qualname__
    original.__module__ = function.__module__
    name = key(function)
    made = (make(original), is_dynamo_compiling, original)
    function.__globals__.update(zip(_names(name), made, strict=True))
    function.__code__ = new = _shim(function, old, name)
    return Swap(function, old, new, name, original)


def _names(name: str) -> tuple[str, str, str]:
    """What stands in a function's globals: the new behaviour, a question, and the old one."""
    return name, f"{name}_compiling", f"{name}_original"


class _Deeper:
    """Stands in for the warnings module, so that a warning names the same line as ever.

    Between the function and its caller lie three frames more: this one, the new behaviour's and
    the shim's.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    def warn(
        self, message: Any, category: Any = None, stacklevel: int = 1, source: Any = None
    ) -> None:
        """`warnings.warn`, further up the stack unless it points at the function itself."""
        further = 3 if stacklevel > 1 else 1
        warnings.warn(message, category, stacklevel + further, source)


def key(function: Callable[..., Any]) -> str:
    """The name in a function's globals under which its new behaviour is found."""
    plain = "".join(c if c.isalnum() else "_" for c in function.__qualname__)
    return f"__unstuck_{plain}"


def _shim(function: FunctionType, old: CodeType, name: str) -> CodeType:
    parameters: list[str] = []
    arguments: list[str] = []
    seen_star = False
    for parameter in inspect.signature(function, follow_wrapped=False).parameters.values():
        label = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            parameters.append(f"*{label}")
            arguments.append(f"*{label}")
            seen_star = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            parameters.append(f"**{label}")
            arguments.append(f"**{label}")
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if not seen_star:
                parameters.append("*")
                seen_star = True
            parameters.append(f"{label}=None")
            arguments.append(f"{label}={label}")
        else:
            # The defaults live in the function object; these only keep the shim compilable.
            parameters.append(f"{label}=None")
            arguments.append(label)
    # The exchanged code must close over the same names, whether it reads them or not.
    closed = ", ".join(old.co_freevars)
    touch = f"        ({closed},)\n" if closed else ""
    # A compiler that traces the call finds a constant, and the old behaviour: nothing of ours.
    new, compiling, original = _names(name)
    source = (
        f"def outer({closed}):\n"
        f"    def shim({', '.join(parameters)}):\n"
        f"        if {compiling}():\n"
        f"            return {original}({', '.join(arguments)})\n"
        f"        return {new}({', '.join(arguments)})\n"
        f"{touch}"
        f"    return shim\n"
    )
    outer = compile(source, old.co_filename, "exec").co_consts[0]
    shim = next(constant for constant in outer.co_consts if isinstance(constant, CodeType))
    return shim.replace(
        co_filename=old.co_filename, co_firstlineno=old.co_firstlineno,
        co_name=old.co_name, co_qualname=old.co_qualname,
    )


def uncompiled(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook for torch that does nothing where a compiler traces it."""
    compiling = is_dynamo_compiling  # no global of ours is looked up, and so none in the graph

    def call(*arguments: Any) -> None:
        if not compiling():
            hook(*arguments)

    return call
