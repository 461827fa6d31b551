"""What calls and statements of a program do to data that pass through them, by their names."""

from __future__ import annotations

import ast
import copy

from unstuck.observe.source.lexical import SHUFFLES, Path
from unstuck.observe.source.operations import last_name
from unstuck.schema.facts.calls import StepKind

BATCHING = frozenset({"DataLoader", "Subset", "random_split", "ConcatDataset", "ChainDataset"})
PASSING = frozenset({
    "tqdm", "trange", "iter", "next", "list", "tuple", "cycle", "to", "cuda", "cpu", "contiguous",
    "detach", "clone", "copy", "deepcopy", "numpy", "requires_grad_", "squeeze", "unsqueeze",
    "ravel", "flatten", "pin_memory", "float", "double", "long", "half", "int", "astype", "type",
    "values", "to_numpy", "split", "chunk", "array_split", "batch", "expand_dims",
    "ascontiguousarray", "FloatTensor", "LongTensor", "squeeze_", "unsqueeze_", "tolist", "items",
    "get"})
CONVERTING = frozenset({"tensor", "as_tensor", "from_numpy", "FloatTensor", "LongTensor", "Tensor",
                         "asarray", "array"})
SHAPING = frozenset({"view", "reshape", "transpose", "permute", "swapaxes", "rearrange",
                      "moveaxis"})
ORDERING = frozenset({"permutation", "sample", "shuffled", "sorted", "randperm", "argsort"})
_RISKY = frozenset({"log", "log2", "log10", "log1p", "sqrt", "power", "divide", "true_divide",
                    "reciprocal", "arcsin", "arccos", "zscore"})
MAKING = ("load_", "read_", "fetch_", "make_", "loadtxt", "rand", "zeros", "ones", "arange",
           "linspace", "meshgrid", "normal", "uniform", "standard_", "integers", "default_rng")
SPLITTING = frozenset({"train_test_split"})


def source_of(node: ast.Call) -> ast.expr | None:
    """What a call of a library makes its result of: what its method is of, or its first argument.
    """
    func = node.func
    first = next((each for each in node.args if not isinstance(each, ast.Constant)), None)
    if isinstance(func, ast.Attribute):
        name = func.attr
        of_module = isinstance(func.value, ast.Name) and func.value.id in (
            "torch", "np", "numpy", "F", "nn", "pd", "math", "copy", "jnp", "xp")
        if of_module or name in ("transform", "fit_transform") or name in CONVERTING:
            return first
        return func.value
    return first


def of_each(node: ast.expr, path: Path) -> ast.expr | None:
    """What `map` or a comprehension makes of the element that is meant."""
    match node:
        case ast.Call(func=ast.Name(id="map"), args=[called, parts]):
            name = ""
        case ast.ListComp(elt=called, generators=[ast.comprehension(
                target=ast.Name(id=name), iter=parts)]) | ast.GeneratorExp(
                    elt=called, generators=[ast.comprehension(
                        target=ast.Name(id=name), iter=parts)]):
            pass
        case _:
            return None
    if not path or not isinstance(path[0], int):
        return None
    part = ast.copy_location(ast.Subscript(parts, ast.Constant(path[0]), ast.Load()), parts)
    return _put(called, name, part) if name else ast.copy_location(
        ast.Call(called, [part], []), part)


def _put(element: ast.expr, name: str, part: ast.expr) -> ast.expr:
    """An expression with another one in the place of a name."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return part if node.id == name else node

    found = Put().visit(copy.deepcopy(element))
    assert isinstance(found, ast.expr)
    return found


def change(statement: ast.stmt) -> StepKind:
    """What a statement does to a value in place."""
    match statement:
        case ast.Expr(value=ast.Call(func=func)):
            return StepKind.ORDERED if last_name(func) in SHUFFLES else StepKind.COMPUTED
        case ast.AugAssign(target=ast.Name() | ast.Attribute()):
            return StepKind.COMPUTED
    return StepKind.CHANGED


def computed(node: ast.expr) -> StepKind:
    """Whether an expression may make NaN or Inf of finite numbers."""
    for each in ast.walk(node):
        if (isinstance(each, ast.BinOp) and isinstance(each.op, ast.Div)
                and not isinstance(each.right, ast.Constant)) or (
                isinstance(each, ast.Call) and last_name(each.func) in _RISKY):
            return StepKind.RISKY
    return StepKind.COMPUTED
