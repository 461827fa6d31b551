"""Optimizers by hand, with other options and behind other calls."""

from __future__ import annotations

import ast
from typing import ClassVar

from corpus.forms.form import (
    Form,
    blocks,
    expression,
    functions,
    method,
    optimizers,
    owner,
    plain,
)
from corpus.forms.losses import trained

_GROUPS = '''
    def __init__(self, parameters, kind="SGD", lr=0.001, momentum=0.0, nesterov=False,
                 betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.weights = list(parameters)
        self.kind, self.lr, self.momentum, self.nesterov = kind, lr, momentum, nesterov
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        self.count = 0
        self.first = [torch.zeros_like(w) for w in self.weights]
        self.second = [torch.zeros_like(w) for w in self.weights]
        self.met = [False] * len(self.weights)

    def zero_grad(self, set_to_none=True):
        for w in self.weights:
            w.grad = None
'''
_KINDS = ("SGD", "Adam", "AdamW")
_OPTIONS = ("lr", "momentum", "nesterov", "betas", "eps", "weight_decay")
_SKIPS = ("lr_scheduler", "swa", "state_dict", "param_groups", "GradScaler", "Optimizer)",
          "add_param_group", "functional_call", "sparse=True", "StepLR", "isinstance(opt")


def _kind(form: Form, node: ast.Call) -> str | None:
    name = form.called(node).removeprefix("torch.optim.")
    return name if name in _KINDS and 1 <= len(node.args) <= 2 and all(
        k.arg in _OPTIONS for k in node.keywords) else None


class _Own(Form):
    """An optimizer of torch -> a class of the program's own."""

    made: ClassVar[str]
    skips = _SKIPS

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        kind = _kind(self, node)
        if kind is None or isinstance(node.args[0], ast.List | ast.ListComp):
            return node
        keywords = list(node.keywords)
        if len(node.args) == 2:
            keywords.insert(0, ast.keyword("lr", node.args[1]))
        if kind == "AdamW" and all(k.arg != "weight_decay" for k in keywords):
            keywords.append(ast.keyword("weight_decay", ast.Constant(0.01)))
        return ast.Call(ast.Name(self.made, ast.Load()), [node.args[0]], [
            ast.keyword("kind", ast.Constant(kind)), *keywords])


class OptimizerByHand(_Own):
    """SGD, Adam and AdamW -> a class of the program's own that updates under `no_grad`."""

    made = "OwnOptimizer"
    prelude = f'''
class OwnOptimizer:
{_GROUPS}
    @torch.no_grad()
    def step(self):
        self.count += 1
        for i, w in enumerate(self.weights):
            if w.grad is None:
                continue
            g, m, v = w.grad, self.first[i], self.second[i]
            if self.weight_decay and self.kind != "AdamW":
                g = g.add(w, alpha=self.weight_decay)
            if self.kind == "AdamW":
                w.mul_(1 - self.lr * self.weight_decay)
            if self.kind != "SGD":
                m.lerp_(g, 1 - self.betas[0])
                v.mul_(self.betas[1]).addcmul_(g, g.conj(), value=1 - self.betas[1])
                scale = (1 - self.betas[1] ** self.count) ** 0.5
                rate = self.lr / (1 - self.betas[0] ** self.count)
                w.addcdiv_(m, (v.sqrt() / scale).add_(self.eps), value=-rate)
                continue
            if self.momentum:
                if self.met[i]:
                    m.mul_(self.momentum).add_(g)
                else:
                    m.copy_(g)
                    self.met[i] = True
                g = g.add(m, alpha=self.momentum) if self.nesterov else m
            w.add_(g, alpha=-self.lr)
'''


class OptimizerByData(_Own):
    """SGD, Adam and AdamW -> a class of the program's own that updates by `.data`."""

    made = "DataOptimizer"
    prelude = f'''
class DataOptimizer:
{_GROUPS}
    def step(self):
        self.count += 1
        for i, w in enumerate(self.weights):
            if w.grad is None:
                continue
            g, m, v = w.grad.data, self.first[i], self.second[i]
            if self.weight_decay and self.kind != "AdamW":
                g = g + self.weight_decay * w.data
            if self.kind == "AdamW":
                w.data *= 1 - self.lr * self.weight_decay
            if self.kind != "SGD":
                self.first[i] = m = self.betas[0] * m + (1 - self.betas[0]) * g
                self.second[i] = v = self.betas[1] * v + (1 - self.betas[1]) * g * g
                m = m / (1 - self.betas[0] ** self.count)
                v = v / (1 - self.betas[1] ** self.count)
                w.data -= self.lr * m / (v.sqrt() + self.eps)
                continue
            if self.momentum:
                self.first[i] = m = self.momentum * m + g
                g = g + self.momentum * m if self.nesterov else m
            w.data -= self.lr * g
'''


class OptimizerOfOwnClass(_Own):
    """SGD, Adam and AdamW -> a subclass of `Optimizer` of the program's own."""

    made = "OwnRule"
    prelude = '''
class OwnRule(torch.optim.Optimizer):
    def __init__(self, parameters, kind="SGD", lr=0.001, momentum=0.0, nesterov=False,
                 betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, dict(
            kind=kind, lr=lr, momentum=momentum, nesterov=nesterov, betas=betas, eps=eps,
            weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    self.update(w, w.grad, self.state[w], group)

    def update(self, w, g, state, group):
        lr, decay = group["lr"], group["weight_decay"]
        if decay and group["kind"] != "AdamW":
            g = g.add(w, alpha=decay)
        if group["kind"] == "AdamW":
            w.mul_(1 - lr * decay)
        if group["kind"] != "SGD":
            first, second = group["betas"]
            if not state:
                state.update(count=0, m=torch.zeros_like(w), v=torch.zeros_like(w))
            state["count"] += 1
            state["m"].lerp_(g, 1 - first)
            state["v"].mul_(second).addcmul_(g, g, value=1 - second)
            scale = (1 - second ** state["count"]) ** 0.5
            rate = lr / (1 - first ** state["count"])
            w.addcdiv_(state["m"], (state["v"].sqrt() / scale).add_(group["eps"]), value=-rate)
            return
        if group["momentum"]:
            if "m" in state:
                state["m"].mul_(group["momentum"]).add_(g)
            else:
                state["m"] = g.clone()
            g = g.add(state["m"], alpha=group["momentum"]) if group["nesterov"] else state["m"]
        w.add_(g, alpha=-lr)
'''


class OptimizerMaximizes(Form):
    """A minimised loss -> the negated one, with `maximize=True`."""

    skips = ("LBFGS", "SparseAdam", "Muon", "GradScaler", "Optimizer)", "retain_graph",
             "autograd.grad", ".grad.norm", "maximize", "optimizer_class", ".grad *", ".grad /",
             "ASGD")

    def change(self, tree: ast.Module) -> ast.Module:
        self.losses = trained(tree)
        made = sum(self.called(node).startswith("torch.optim.") and "lr_scheduler" not in (
            self.called(node)) for node in ast.walk(tree))
        return super().change(tree) if made and self.losses else tree

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if self.called(node).startswith("torch.optim.") and self.called(node).count(".") == 2:
            node.keywords.append(ast.keyword("maximize", ast.Constant(True)))
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "backward":
            node.func.value = ast.UnaryOp(ast.USub(), node.func.value)
        return node


class OptimizerOfSettings(Form):
    """`torch.optim.SGD(weights, lr=1e-2)` -> chosen by name, with `**settings`."""

    prelude = '''
def optimizer_for(parameters, name, settings):
    return getattr(torch.optim, name)(parameters, **settings)
'''

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = self.called(node)
        if not name.startswith("torch.optim.") or name.count(".") != 2 or not plain(
                node, 1, [k.arg or "" for k in node.keywords]):
            return node
        settings = ast.Call(expression("dict"), [], node.keywords)
        return ast.Call(expression("optimizer_for"), [
            node.args[0], ast.Constant(name.rpartition(".")[2]), settings], [])


class StepOfClosure(Form):
    """Clearing, loss, backward and step in a row -> a closure that the step calls."""

    skips = ("GradScaler", "Optimizer)", "retain_graph")

    def change(self, tree: ast.Module) -> ast.Module:
        known = optimizers(self, tree)
        for block in [block for each in functions(tree) for block in blocks(each)]:
            for start in range(len(block) - 3):
                row = block[start : start + 4]
                closed = self._closed(row, known)
                if closed:
                    block[start : start + 4] = closed
                    break
        return tree

    def _closed(self, row: list[ast.stmt], known: set[str]) -> list[ast.stmt] | None:
        *first, last = row
        if not (isinstance(last, ast.Expr) and method(last.value, "step")
                and owner(last.value) in known and plain(last.value, 0)):
            return None
        loss = next((each for each in first if isinstance(each, ast.Assign) and isinstance(
            each.targets[0], ast.Name)), None)
        calls = [each.value for each in first if isinstance(each, ast.Expr)]
        if loss is None or sorted(each.func.attr for each in calls if method(
                each, "zero_grad", "backward")) != ["backward", "zero_grad"]:
            return None
        assert isinstance(loss.targets[0], ast.Name)
        name = loss.targets[0]
        if not any(method(each, "backward") and owner(each) == name.id for each in calls):
            return None
        closure = ast.parse("def closure():\n    return value").body[0]
        assert isinstance(closure, ast.FunctionDef)
        closure.body = [*first, ast.Return(ast.Name(name.id, ast.Load()))]
        last.value.args = [expression("closure")]
        return [closure, ast.Assign([ast.Name(name.id, ast.Store())], last.value)]


FORMS: tuple[type[Form], ...] = (
    OptimizerByHand, OptimizerByData, OptimizerOfOwnClass, OptimizerMaximizes,
    OptimizerOfSettings, StepOfClosure,
)
