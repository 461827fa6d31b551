"""Evaluation with and without gradients, in means and in sums."""

from __future__ import annotations

import ast

from corpus.forms.form import Form, expression, plain
from corpus.forms.losses import applied

_OFF = ("torch.no_grad", "torch.inference_mode")
# Blocks that must not have gradients, for they change weights, or give tensors to others.
_NEEDED = (".numpy()", "add_(", "sub_(", "mul_(", "copy_(", "fill_(", "-=", "+= p", "*=", "lerp_(",
           "init.", "uniform_", "normal_", ".step(", "np.", "data_ptr", "append(", "return model",
           "stack(", "cat(", "sub_", "tolist", "float(", "zero_(", "detach", "clamp_(", "div_(")


def _is_evaluation(node: ast.AST) -> bool:
    text = ast.unparse(node)
    return not any(word in text for word in _NEEDED)


class EvaluationWithGradients(Form):
    """`with torch.no_grad():` around an evaluation -> without it."""

    def _off(self, node: ast.expr) -> bool:
        return self.called(node) in _OFF or self.function(node) in _OFF

    def visit_With(self, node: ast.With) -> ast.stmt | list[ast.stmt]:
        self.generic_visit(node)
        if len(node.items) == 1 and self._off(node.items[0].context_expr) and _is_evaluation(node):
            return node.body
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        self.generic_visit(node)
        kept = [each for each in node.decorator_list if not self._off(each)]
        if len(kept) < len(node.decorator_list) and _is_evaluation(node):
            node.decorator_list = kept
        return node


class EvaluationInSums(Form):
    """`F.mse_loss(a, b)` under `no_grad` -> the sum over the samples, divided by their number."""

    def __init__(self) -> None:
        super().__init__()
        self._inside = False

    def visit_With(self, node: ast.With) -> ast.stmt:
        outside, self._inside = self._inside, self._inside or any(
            self.called(item.context_expr) in _OFF for item in node.items)
        self.generic_visit(node)
        self._inside = outside
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        outside, self._inside = self._inside, self._inside or any(
            self.called(each) in _OFF or self.function(each) in _OFF
            for each in node.decorator_list)
        self.generic_visit(node)
        self._inside = outside
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = applied(self, node)
        if not self._inside or name is None or not plain(node, 2):
            return node
        wanted = node.args[1]
        size = "wanted.numel()"
        node.keywords = [ast.keyword("reduction", ast.Constant("sum"))]
        return expression(f"summed / {size}", summed=node, wanted=wanted)


class EvaluationByMode(Form):
    """`with torch.no_grad():` -> `with torch.set_grad_enabled(False):`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return expression("torch.set_grad_enabled(False)") if self.called(node) in _OFF else node


FORMS: tuple[type[Form], ...] = (EvaluationWithGradients, EvaluationInSums, EvaluationByMode)
