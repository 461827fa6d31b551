"""Activations as modules, functions, methods and arithmetic."""

from __future__ import annotations

import ast
from typing import ClassVar

from corpus.forms.form import Form, expression, plain

_FUNCTIONS = ("relu", "tanh", "sigmoid")
_MODULES = ("ReLU", "LeakyReLU", "Tanh", "Sigmoid", "ELU", "GELU", "SiLU", "Softplus")


class ActivationModulesByHand(Form):
    """`nn.ReLU()` and others -> a module of the program's own that computes it by arithmetic."""

    prelude = '''
import math

class Clamp(torch.nn.Module):
    def forward(self, x):
        return x.clamp(min=0)

class Leaky(torch.nn.Module):
    def __init__(self, slope=0.01):
        super().__init__()
        self.slope = slope
    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)

class Squash(torch.nn.Module):
    def forward(self, x):
        return 2 / (1 + torch.exp(-2 * x)) - 1

class Logistic(torch.nn.Module):
    def forward(self, x):
        return 1 / (1 + torch.exp(-x))

class Exponential(torch.nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, torch.expm1(x.clamp(max=0)))

class Gaussian(torch.nn.Module):
    def forward(self, x):
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))

class Swish(torch.nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)

class Soft(torch.nn.Module):
    def forward(self, x):
        return torch.logaddexp(x, torch.zeros_like(x))
'''
    skips = ("nn.Module):\n\n    def forward(self, logits)", "isinstance(", "class Gaussian")
    made: ClassVar[dict[str, str]] = dict(zip(_MODULES, (
        "Clamp", "Leaky", "Squash", "Logistic", "Exponential", "Gaussian", "Swish", "Soft"),
        strict=True))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = self.called(node).removeprefix("torch.nn.")
        arguments = 1 if name == "LeakyReLU" else 0
        if name in self.made and plain(node, min(len(node.args), arguments)):
            return ast.Call(ast.Name(self.made[name], ast.Load()), node.args, [])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        name = self.function(node).removeprefix("torch.nn.")
        return ast.Name(self.made[name], ast.Load()) if name in self.made and (
            name not in ("LeakyReLU",)) else node


class ActivationModulesOfFunctions(Form):
    """`nn.ReLU()` and others -> a module of the program's own that calls the function."""

    prelude = '''
class Apply(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
    def forward(self, x):
        return self.function(x)
'''
    skips = ("isinstance(", "class Apply")
    made: ClassVar[dict[str, str]] = {
        "ReLU": "torch.relu", "Tanh": "torch.tanh", "Sigmoid": "torch.sigmoid",
        "ELU": "torch.nn.functional.elu", "GELU": "torch.nn.functional.gelu",
        "SiLU": "torch.nn.functional.silu", "Softplus": "torch.nn.functional.softplus"}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = self.called(node).removeprefix("torch.nn.")
        return expression(f"Apply({self.made[name]})") if name in self.made and (
            plain(node, 0)) else node


class ActivationModulesByMask(Form):
    """`nn.ReLU()` -> a module of the program's own that multiplies by a mask."""

    prelude = '''
class Gate(torch.nn.Module):
    def forward(self, x):
        return x * (x > 0)
'''
    skips = ("isinstance(", "class Gate")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return expression("Gate()") if self.called(node) == "torch.nn.ReLU" and (
            plain(node, len(node.args), ("inplace",))) else node


def _applied(form: Form, node: ast.Call) -> tuple[str, ast.expr] | None:
    """The activation function that a call applies, and to what."""
    called = form.called(node)
    for name in _FUNCTIONS:
        if called in (f"torch.{name}", f"torch.nn.functional.{name}") and plain(node, 1):
            return name, node.args[0]
        if (not called and isinstance(node.func, ast.Attribute) and node.func.attr == name
                and plain(node, 0) and not isinstance(node.func.value, ast.Constant)):
            return name, node.func.value
    return None


class ActivationFunctionsByHand(Form):
    """`F.relu(x)`, `torch.tanh(x)`, `x.sigmoid()` -> functions of the program's own."""

    prelude = '''
def rectified(x):
    return torch.clamp(x, min=0)

def squashed(x):
    return 2 / (1 + torch.exp(-2 * x)) - 1

def logistic(x):
    return 1 / (1 + torch.exp(-x))
'''
    made: ClassVar[dict[str, str]] = dict(
        zip(_FUNCTIONS, ("rectified", "squashed", "logistic"), strict=True))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        found = _applied(self, node)
        return expression(f"{self.made[found[0]]}(x)", x=found[1]) if found else node


class ActivationMethods(Form):
    """`F.relu(x)`, `torch.tanh(x)` -> `x.relu()`, `x.tanh()`; methods -> functions."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        found = _applied(self, node)
        if not found:
            return node
        return expression(f"(x).{found[0]}()" if self.called(node) else f"torch.{found[0]}(x)",
                          x=found[1])


class ActivationOperators(Form):
    """`F.relu(x)`, `x.relu()` -> `x * (x > 0)`, in place."""

    prelude = '''
def positive_part(x):
    return x * (x > 0)
'''

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        found = _applied(self, node)
        return expression("positive_part(x)", x=found[1]) if found and (
            found[0] == "relu") else node


FORMS: tuple[type[Form], ...] = (
    ActivationModulesByHand, ActivationModulesOfFunctions, ActivationModulesByMask,
    ActivationFunctionsByHand, ActivationMethods, ActivationOperators,
)
