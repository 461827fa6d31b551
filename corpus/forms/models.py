"""Models as chains, classes and functions of plain parameters; what goes in and comes out."""

from __future__ import annotations

import ast
from copy import deepcopy
from typing import ClassVar

from corpus.forms.form import (
    MARK,
    Form,
    body_of,
    classes,
    expression,
    models,
    plain,
    statements,
)

_FUNCTIONS = {
    "ReLU": "torch.relu(x)", "Tanh": "torch.tanh(x)", "Sigmoid": "torch.sigmoid(x)",
    "GELU": "torch.nn.functional.gelu(x)", "ELU": "torch.nn.functional.elu(x)",
    "SiLU": "torch.nn.functional.silu(x)", "Softplus": "torch.nn.functional.softplus(x)",
}


def _parts(form: Form, node: ast.AST) -> list[ast.Call] | None:
    """The calls that make the parts of a chain that is written out, all layers of torch."""
    if form.called(node) != "torch.nn.Sequential":
        return None
    assert isinstance(node, ast.Call)
    parts = [part for part in node.args if form.called(part).startswith("torch.nn.")]
    return parts if len(parts) == len(node.args) > 1 and (  # type: ignore[return-value]
        not node.keywords) else None


class SequentialToClass(Form):
    """`nn.Sequential(...)` -> a class whose forward calls its layers and functions in turn."""

    skips = ("[0]", "[-1]", "[2]", "isinstance(", "for layer in", "load_state_dict",
             "model[", "net[")

    def change(self, tree: ast.Module) -> ast.Module:
        self.made: list[ast.stmt] = []
        super().change(tree)
        place = next((number for number, node in enumerate(tree.body) if number and not isinstance(
            node, ast.Import | ast.ImportFrom)), 0)
        tree.body[place:place] = self.made
        return tree

    def visit_Call(self, node: ast.Call) -> ast.expr:
        parts = _parts(self, node)
        if parts is None:
            self.generic_visit(node)
            return node
        name = f"Chain{len(self.made)}"
        made = ast.parse(f"class {name}(torch.nn.Module):\n    def __init__(self):\n"
                         "        super().__init__()\n    def forward(self, x):\n"
                         "        return x").body[0]
        assert isinstance(made, ast.ClassDef)
        start, forward = body_of(made, "__init__"), body_of(made, "forward")
        assert start is not None
        assert forward is not None
        end = forward.body.pop()
        free: dict[str, None] = {}
        for number, part in enumerate(parts):
            kind = self.called(part).removeprefix("torch.nn.")
            if kind in _FUNCTIONS and plain(part, 0, ("inplace",)):
                value = expression(_FUNCTIONS[kind])
                if hasattr(part, MARK):
                    setattr(value, MARK, getattr(part, MARK))
            else:
                start.body += statements(f"self.layer{number} = part", part=part)
                _mark(start.body[-1], part)
                value = expression(f"self.layer{number}(x)")
                for each in ast.walk(part):
                    if isinstance(each, ast.Name) and each.id not in self.imports:
                        free[each.id] = None
            forward.body.append(ast.Assign([ast.Name("x", ast.Store())], value))
        forward.body.append(end)
        for each in free:  # what the layers are made of is handed in
            start.args.args.append(ast.arg(each))
        self.made.append(made)
        return ast.Call(ast.Name(name, ast.Load()), [
            ast.Name(each, ast.Load()) for each in free], [])


def _mark(statement: ast.stmt, part: ast.AST) -> None:
    if hasattr(part, MARK):
        assert isinstance(statement, ast.Assign)
        setattr(statement.value, MARK, getattr(part, MARK))


class LinearByHand(Form):
    """`nn.Linear(a, b)` -> a module of the program's own over plain parameters, `x @ w.T + b`."""

    prelude = '''
class Dense(torch.nn.Module):
    def __init__(self, inputs, outputs, bias=True):
        super().__init__()
        bound = 1 / inputs**0.5
        self.weight = torch.nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = torch.nn.Parameter(
            torch.empty(outputs).uniform_(-bound, bound)) if bias else None
    def forward(self, x):
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias
'''
    skips = ("isinstance(", "parametriz", "weight_norm", "spectral_norm", "class Dense", "bfloat16",
             "prune", "compile(", "script")
    made: ClassVar[str] = "Dense"

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if self.called(node) == "torch.nn.Linear":
            node.func = ast.Name(self.made, ast.Load())
            for keyword in node.keywords:
                keyword.arg = {"in_features": "inputs", "out_features": "outputs"}.get(
                    keyword.arg or "", keyword.arg)
        return node


class LinearByFunction(LinearByHand):
    """`nn.Linear(a, b)` -> a module of the program's own that calls `F.linear`."""

    prelude = LinearByHand.prelude.replace("Dense", "Affine").replace(
        "y = x @ self.weight.T\n        return y if self.bias is None else y + self.bias",
        "return torch.nn.functional.linear(x, self.weight, self.bias)")
    skips = (*LinearByHand.skips, "class Affine")
    made = "Affine"


class SequentialToFunctions(Form):
    """A chain of linear layers and activations -> tensors in a list, without any module."""

    prelude = '''
class Network:
    def __init__(self, *sizes_and_functions):
        self.weights, self.stages = [], []
        for stage in sizes_and_functions:
            if callable(stage):
                self.stages.append(stage)
                continue
            inputs, outputs = stage
            bound = 1 / inputs**0.5
            w = torch.empty(outputs, inputs).uniform_(-bound, bound).requires_grad_()
            b = torch.empty(outputs).uniform_(-bound, bound).requires_grad_()
            self.stages.append((w, b))
            self.weights += [w, b]

    def parameters(self):
        return self.weights

    def train(self, mode=True):
        return self

    def eval(self):
        return self

    def __call__(self, x):
        for stage in self.stages:
            x = stage(x) if callable(stage) else torch.nn.functional.linear(x, *stage)
        return x
'''
    skips = ("[0]", "[-1]", "[2]", "isinstance(", "for layer in", "state_dict", "model[", "net[",
             ".apply(", "nn.Module", "zero_grad(set", "net.zero_grad", "model.zero_grad", "zip(",
             "named_parameters", "deepcopy", "bias=", "modules()", "zero_grad_")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        parts = _parts(self, node)
        kinds = [self.called(part).removeprefix("torch.nn.") for part in parts or []]
        if not parts or not all(
            (kind == "Linear" and plain(part, 2)) or (kind in _FUNCTIONS and plain(
                part, 0, ("inplace",))) for kind, part in zip(kinds, parts, strict=True)
        ):
            self.generic_visit(node)
            return node
        stages: list[ast.expr] = []
        for kind, part in zip(kinds, parts, strict=True):
            stage: ast.expr = ast.Tuple(part.args, ast.Load()) if kind == "Linear" else expression(
                _FUNCTIONS[kind].removesuffix("(x)"))
            if hasattr(part, MARK):
                setattr(stage, MARK, getattr(part, MARK))
            stages.append(stage)
        return ast.Call(ast.Name("Network", ast.Load()), stages, [])


class CallsOfForward(Form):
    """`model(x)` -> `model.forward(x)`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in models(self.tree):
            node.func = ast.Attribute(node.func, "forward", ast.Load())
        return node


class CallsOfFunctional(Form):
    """`model(x)` -> `torch.func.functional_call` with its own parameters."""

    prelude = '''
def call(model, *inputs):
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return torch.func.functional_call(model, weights, inputs)
'''
    skips = ("functional_call", "weight_norm", "spectral_norm", "script", "compile(", "deepcopy",
             "AveragedModel", "flatten_parameters")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in models(self.tree) and plain(
                node, len(node.args)):
            return ast.Call(ast.Name("call", ast.Load()), [node.func, *node.args], [])
        return node


def _root(form: Form) -> tuple[ast.ClassDef, ast.FunctionDef] | None:
    """The only class of models in a program that makes no chain but in it, with its forward."""
    found = classes(form, form.tree)
    if len(found) != 1:
        return None
    inside = {id(node) for node in ast.walk(found[0])}
    if any(form.called(node) == "torch.nn.Sequential" and id(node) not in inside
           for node in ast.walk(form.tree)):
        return None
    forward = body_of(found[0], "forward")
    return (found[0], forward) if forward is not None else None


class OutputsOfDictionary(Form):
    """`return y` in the model's forward -> `return {"logits": y}`; `model(x)["logits"]`."""

    skips = ("script", "compile(", "AveragedModel")

    def change(self, tree: ast.Module) -> ast.Module:
        root = _root(self)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(
            node.func, ast.Name) and node.func.id in models(tree)]
        ends = [node for node in ast.walk(root[1]) if isinstance(node, ast.Return)] if root else []
        if not ends or not calls or any(isinstance(end.value, ast.Tuple) for end in ends):
            return tree
        for end in ends:
            assert end.value is not None
            end.value = ast.Dict([ast.Constant("logits")], [end.value])
        self.calls = set(map(id, calls))
        return super().change(tree)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        wanted = id(node) in getattr(self, "calls", ())
        self.generic_visit(node)
        return expression("made['logits']", made=node) if wanted else node


class InputsOfDictionary(Form):
    """`model(x)` -> `model({"features": x})`, unpacked in its forward."""

    skips = ("script", "compile(", "AveragedModel")

    def change(self, tree: ast.Module) -> ast.Module:
        root = _root(self)
        if root is None or len(root[1].args.args) != 2:
            return tree
        name = root[1].args.args[1].arg
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(
            node.func, ast.Name) and node.func.id in models(tree) and plain(node, 1)]
        if not calls:
            return tree
        root[1].args.args[1].arg = "batch"
        root[1].body[:0] = statements(f"{name} = batch['features']")
        for call in calls:
            call.args = [ast.Dict([ast.Constant("features")], [call.args[0]])]
        return tree


class InputsOfKeywords(Form):
    """`model(x)` -> `model(x=x)`, by the names of its forward."""

    skips = ("AveragedModel",)

    def change(self, tree: ast.Module) -> ast.Module:
        root = _root(self)
        if root is None:
            return tree
        names = [arg.arg for arg in root[1].args.args[1:]]
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and (
                call.func.id in models(tree)
            ) and plain(call, len(names)):
                call.keywords = [ast.keyword(name, value) for name, value in zip(
                    names, call.args, strict=True)]
                call.args = []
        return tree


class LayerTwiceNamed(Form):
    """A layer of a class -> the same layer under a second name as well."""

    skips = ("state_dict", "named_parameters", "children()", "modules()")

    def change(self, tree: ast.Module) -> ast.Module:
        for node in classes(self, tree):
            start = body_of(node, "__init__")
            first = next((each for each in start.body if isinstance(each, ast.Assign)
                          and isinstance(each.targets[0], ast.Attribute)
                          and self.called(each.value).startswith("torch.nn.")), None
                         ) if start else None
            if start is not None and first is not None:
                start.body += statements(
                    "self.as_well = layer", layer=deepcopy(_loaded(first.targets[0])))
        return tree


def _loaded(node: ast.expr) -> ast.expr:
    made = deepcopy(node)
    assert isinstance(made, ast.Attribute)
    made.ctx = ast.Load()
    return made


FORMS: tuple[type[Form], ...] = (
    SequentialToClass, LinearByHand, LinearByFunction, SequentialToFunctions, CallsOfForward,
    CallsOfFunctional, OutputsOfDictionary, InputsOfDictionary, InputsOfKeywords, LayerTwiceNamed,
)
