"""Losses as modules, functions, formulas, terms and parts of a model."""

from __future__ import annotations

import ast
from typing import ClassVar

from corpus.forms.form import Form, blocks, expression, method, owner, plain, statements

FUNCTIONS = {
    "CrossEntropyLoss": "cross_entropy", "MSELoss": "mse_loss", "L1Loss": "l1_loss",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits", "BCELoss": "binary_cross_entropy",
    "NLLLoss": "nll_loss", "HuberLoss": "huber_loss", "SmoothL1Loss": "smooth_l1_loss",
}
_F = "torch.nn.functional."


def applied(form: Form, node: ast.AST) -> str | None:
    """The loss function of torch that a call applies to a prediction and a target."""
    name = form.called(node).removeprefix(_F)
    return name if name in FUNCTIONS.values() else None


class LossModulesToFunctions(Form):
    """`nn.MSELoss()` -> `F.mse_loss`, with its options behind `partial`."""

    prelude = "from functools import partial\n"

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = FUNCTIONS.get(self.called(node).removeprefix("torch.nn."))
        if name is None or node.args:
            return node
        made = expression(f"{_F}{name}")
        return ast.Call(expression("partial"), [made], node.keywords) if node.keywords else made


class LossFunctionsToModules(Form):
    """`F.mse_loss(a, b)` -> `nn.MSELoss()(a, b)`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = applied(self, node)
        if name is None or not plain(node, 2, [k.arg or "**" for k in node.keywords]):
            return node
        module = next(each for each, function in FUNCTIONS.items() if function == name)
        return ast.Call(ast.Call(expression(f"torch.nn.{module}"), [], node.keywords),
                        node.args, [])


_BY_HAND = {
    "mse_loss": "((output - wanted) ** 2).mean()",
    "l1_loss": "(output - wanted).abs().mean()",
    "cross_entropy": "-torch.log_softmax(output, 1).gather(1, wanted.unsqueeze(1)).mean()",
    "nll_loss": "-output.gather(1, wanted.unsqueeze(1)).mean()",
    "binary_cross_entropy_with_logits":
        "(torch.nn.functional.softplus(output) - wanted * output).mean()",
    "binary_cross_entropy":
        "-(wanted * output.log() + (1 - wanted) * (1 - output).log()).mean()",
}


class LossesByHand(Form):
    """`F.mse_loss(a, b)` and `nn.MSELoss()` -> a function of the program's own with the formula."""

    prelude = "".join(f"\ndef own_{name}(output, wanted):\n    return {formula}\n"
                      for name, formula in _BY_HAND.items())
    skips = ("soft_target", "label_smoothing")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = applied(self, node)
        if name in _BY_HAND and plain(node, 2):
            return ast.Call(expression(f"own_{name}"), node.args, [])
        name = FUNCTIONS.get(self.called(node).removeprefix("torch.nn."))
        return expression(f"own_{name}") if name in _BY_HAND and plain(node, 0) else node


class LossesInline(Form):
    """`F.mse_loss(a, b)` -> its formula at that very place."""

    skips = ("soft_target", "label_smoothing")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = applied(self, node)
        if name not in _BY_HAND or not plain(node, 2):
            return node
        if name != "mse_loss" and any(isinstance(part, ast.Call) for part in ast.walk(
                node.args[0])) and _BY_HAND[name].count("output") > 1:
            return node  # would be computed twice
        return expression(_BY_HAND[name], output=node.args[0], wanted=node.args[1])


class LossOfOwnModule(Form):
    """`nn.MSELoss()` -> a module of the program's own whose forward holds the formula."""

    prelude = "".join(
        f"\nclass Own_{name}(torch.nn.Module):\n    def forward(self, output, wanted):\n"
        f"        return {formula}\n" for name, formula in _BY_HAND.items())

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = FUNCTIONS.get(self.called(node).removeprefix("torch.nn."))
        return expression(f"Own_{name}()") if name in _BY_HAND and plain(node, 0) else node


class LossUnreduced(Form):
    """`F.mse_loss(a, b)` -> `F.mse_loss(a, b, reduction="none").mean()`."""

    names: ClassVar[tuple[str, ...]] = tuple(FUNCTIONS.values())

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if applied(self, node) is None or not plain(node, 2):
            return node
        node.keywords = [ast.keyword("reduction", ast.Constant("none"))]
        return expression("x.mean()", x=node)


class LossOfKeywords(Form):
    """`F.mse_loss(a, b)`, `criterion(a, b)` -> with `input=a, target=b`."""

    def change(self, tree: ast.Module) -> ast.Module:
        made: dict[str, bool] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                is_loss = self.called(node.value).removeprefix("torch.nn.") in FUNCTIONS
                name = node.targets[0].id
                made[name] = made.get(name, True) and is_loss
        self.losses = {name for name, is_loss in made.items() if is_loss}
        return super().change(tree)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        known = isinstance(node.func, ast.Name) and node.func.id in self.losses
        if (known or applied(self, node)) and plain(node, 2, ("reduction", "weight")):
            first, second = node.args
            node.args, node.keywords = [], [
                ast.keyword("input", first), ast.keyword("target", second), *node.keywords]
        return node


def trained(tree: ast.AST) -> set[str]:
    """Names of losses that are differentiated."""
    return {owner(node) for node in ast.walk(tree) if method(node, "backward")}


class LossAsTerm(Form):
    """`loss = E`, later differentiated -> the sum of a dictionary of terms."""

    def change(self, tree: ast.Module) -> ast.Module:
        losses = trained(tree)
        for block in blocks(tree):
            for number in reversed(range(len(block))):
                node = block[number]
                if (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                        and node.targets[0].id in losses and isinstance(node.value, ast.Call)
                        and any(method(each, "backward") and owner(each) == node.targets[0].id
                                for later in block[number:] for each in ast.walk(later))):
                    block[number : number + 1] = [
                        *statements("terms = {'objective': value}", value=node.value),
                        ast.Assign(node.targets, expression("sum(terms.values())"))]
        return tree


class LossInForward(Form):
    """`loss = criterion(model(x), y)` -> a module that holds the model and computes the loss."""

    prelude = '''
class Objective(torch.nn.Module):
    def __init__(self, network, measure):
        super().__init__()
        self.network = network
        self.measure = measure
    def forward(self, inputs, wanted):
        return self.measure(self.network(inputs), wanted)
'''

    def change(self, tree: ast.Module) -> ast.Module:
        for block in blocks(tree):
            losses = {owner(each) for node in block for each in ast.walk(node)
                      if method(each, "backward")}
            for node in block:
                if (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                        and node.targets[0].id in losses and isinstance(node.value, ast.Call)
                        and plain(node.value, 2) and isinstance(
                            inner := node.value.args[0], ast.Call)
                        and isinstance(inner.func, ast.Name) and plain(inner, 1)):
                    node.value = expression(
                        "Objective(network, measure)(inputs, wanted)", network=inner.func,
                        measure=node.value.func, inputs=inner.args[0],
                        wanted=node.value.args[1])
        return tree


FORMS: tuple[type[Form], ...] = (
    LossModulesToFunctions, LossFunctionsToModules, LossesByHand, LossesInline, LossOfOwnModule,
    LossUnreduced, LossOfKeywords, LossAsTerm, LossInForward,
)
