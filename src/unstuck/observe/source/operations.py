"""Which expression in the source computes an operation, of all that stand on its line."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from unstuck.observe.source.nodes import evaluated

# Names, without underscores, under which a program calls what autograd calls otherwise.
ALIASES: dict[str, tuple[str, ...]] = {
    "sub": ("sub", "subtract", "rsub"), "div": ("div", "divide", "truedivide", "reciprocal"),
    "pow": ("pow", "square", "rsqrt", "sqrt"), "mul": ("mul", "multiply"),
    "linalgvectornorm": ("norm", "vectornorm"),
    "view": ("view", "reshape", "flatten", "unflatten", "rearrange"),
    "unsafeview": ("reshape", "flatten", "rearrange"), "reshapealias": ("reshape",),
    "norm": ("norm",), "std": ("std",), "var": ("var", "std"),
    "bmm": ("bmm", "einsum", "matmul"), "mm": ("mm", "einsum", "matmul"),
    "clamp": ("clamp", "clip", "clampmin", "clampmax"),
    "clampmin": ("clampmin", "clamp", "clip"), "clampmax": ("clampmax", "clamp", "clip"),
    "hardtanh": ("hardtanh", "relu6"), "elu": ("elu", "selu", "celu"),
    "sigmoid": ("sigmoid", "expit"), "softmax": ("softmax", "softmin"),
    "logsoftmax": ("logsoftmax",), "prelukernel": ("prelu",), "rreluwithnoise": ("rrelu",),
}
OBJECT = "call"  # the method `__call__`: what is called is an object, by any name
OPERATORS: dict[str, type[ast.AST]] = {
    "sub": ast.Sub, "rsub": ast.Sub, "add": ast.Add, "mul": ast.Mult, "div": ast.Div,
    "pow": ast.Pow, "mm": ast.MatMult, "bmm": ast.MatMult, "matmul": ast.MatMult, "neg": ast.USub,
}


def operation_name(node: str) -> str:
    """The name of what an autograd node computes: "leakyrelu" of "LeakyReluBackward0".

    Of a function of the program's own: its name, written the same way.
    """
    return node.partition("Backward")[0].replace("_", "").lower()


def computing(tree: ast.Module, line: int, operation: str) -> list[ast.expr]:
    """The expressions on a line that compute an operation, in the order of their evaluation.

    Args:
        tree: of the program's file.
        line: on which the frame stood when the operation ran.
        operation: a name as `operation_name` gives it.
    """
    names = ALIASES.get(operation, (operation,))
    operator = OPERATORS.get(operation)
    return [node for node in evaluated(tree).get(line, ()) if (
        (isinstance(node, ast.Call) and (
            _called(node) in names
            or (operation == OBJECT and isinstance(node.func, ast.Name))))
        or (operator is not None and isinstance(node, ast.BinOp | ast.UnaryOp)
            and isinstance(node.op, operator))
    )]


def assigned(count: int, found: Sequence[ast.expr]) -> list[ast.expr | None]:
    """Which expression made each of `count` operations, in the order in which they ran.

    A line may run several times; where numbers do not fit nothing is said of any.
    """
    if not found or count % len(found):
        return [found[0] if len(found) == 1 else None] * count
    return [found[i % len(found)] for i in range(count)]


def last_name(node: ast.AST) -> str:
    """The last name of a dotted expression, such as "relu" of F.relu; "" of any other."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def indexings(tree: ast.Module, line: int) -> Iterator[ast.expr]:
    """What a line reads by an index or a slice."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and (
            node.lineno <= line <= (node.end_lineno or node.lineno)
            and isinstance(node.slice, ast.Tuple | ast.UnaryOp | ast.Constant)
            and not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str))
        ):
            yield node


def _called(call: ast.Call) -> str:
    return last_name(call.func).replace("_", "").lower()
