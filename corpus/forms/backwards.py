"""Backward passes and the clearing of gradients in other words."""

from __future__ import annotations

import ast

from corpus.forms.form import (
    Form,
    blocks,
    expression,
    functions,
    method,
    optimizers,
    owner,
    plain,
    statements,
)


class BackwardOfModule(Form):
    """`loss.backward()` -> `torch.autograd.backward(loss)`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if method(node, "backward") and plain(node, 0, ("retain_graph",)):
            assert isinstance(node.func, ast.Attribute)
            return ast.Call(expression("torch.autograd.backward"), [node.func.value], node.keywords)
        return node


class GradientsByFunction(Form):
    """`loss.backward()` -> `torch.autograd.grad`, its results put into `.grad`."""

    prelude = '''
def differentiate(loss, optimizer):
    weights = [w for group in optimizer.param_groups for w in group["params"] if w.requires_grad]
    for w, g in zip(weights, torch.autograd.grad(loss, weights, allow_unused=True)):
        if g is not None:
            w.grad = g if w.grad is None else w.grad + g
'''
    skips = ("LBFGS", "GradScaler", "Optimizer)", "retain_graph", "SparseAdam", "sparse=True",
             "autograd.grad", "Function)", "clip_grad")

    def change(self, tree: ast.Module) -> ast.Module:
        known = optimizers(self, tree)
        for function in functions(tree):
            steps = {owner(node) for node in ast.walk(function) if method(node, "step")} & known
            if len(steps) != 1:
                continue
            name = ast.Name(steps.pop(), ast.Load())
            for block in blocks(function):
                for number, node in enumerate(block):
                    if isinstance(node, ast.Expr) and method(node.value, "backward") and plain(
                            node.value, 0):
                        assert isinstance(node.value.func, ast.Attribute)
                        block[number] = statements(
                            "differentiate(loss, optimizer)",
                            loss=node.value.func.value, optimizer=name)[0]
                        block[number].value.marked = getattr(  # type: ignore[attr-defined]
                            node.value, "marked", None)
        return tree


class ClearingByHand(Form):
    """`optimizer.zero_grad()` -> `p.grad = None` for each weight of its groups."""

    prelude = '''
def forget_gradients(optimizer):
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = None
'''
    skips = ("Optimizer)", "set_to_none=False")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if method(node, "zero_grad") and owner(node) in optimizers(self, self.tree):
            assert isinstance(node.func, ast.Attribute)
            return ast.Call(expression("forget_gradients"), [node.func.value], [])
        return node


class ClearingOfModel(Form):
    """`optimizer.zero_grad()` -> `model.zero_grad()`, where there is one of each."""

    skips = ("Optimizer)",)

    def change(self, tree: ast.Module) -> ast.Module:
        for function in functions(tree):
            held = {owner(node) for node in ast.walk(function) if method(node, "zero_grad")}
            built = [node.value for node in ast.walk(function) if isinstance(node, ast.Assign)
                     and isinstance(node.targets[0], ast.Name) and node.targets[0].id in held
                     and self.called(node.value).startswith("torch.optim.")]
            if len(held) != 1 or len(built) != 1:
                continue
            assert isinstance(built[0], ast.Call)
            given = built[0].args[0] if built[0].args else None
            if given is None or not method(given, "parameters"):
                continue
            for node in ast.walk(function):
                if method(node, "zero_grad"):
                    assert isinstance(node.func, ast.Attribute)
                    node.func.value = ast.Name(owner(given), ast.Load())
        return tree


FORMS: tuple[type[Form], ...] = (
    BackwardOfModule, GradientsByFunction, ClearingByHand, ClearingOfModel,
)
