"""What stands around a training: another one, a model that rests, other names, other files."""

from __future__ import annotations

import ast
import builtins

from corpus.forms.form import Form, blocks, method, statements

RUNS = ("sick", "well", "main")


class _Around(Form):
    def runs(self, tree: ast.Module) -> list[ast.FunctionDef]:
        """The functions that train, without arguments."""
        return [node for node in tree.body if isinstance(node, ast.FunctionDef)
                and node.name in RUNS and not node.args.args]


_OTHER = '''
def fit_line(steps=60):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inputs = torch.randn(256, 3)
        wanted = inputs.sum(1, keepdim=True).tanh() + 0.1 * torch.randn(256, 1)
        line = torch.nn.Sequential(
            torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
        helper = torch.optim.Adam(line.parameters(), lr=1e-2)
        for _ in range(steps // 4):
            for rows in torch.randperm(256).split(64):
                helper.zero_grad()
                torch.nn.functional.mse_loss(line(inputs[rows]), wanted[rows]).backward()
                helper.step()
    return line
'''


class TrainingBefore(_Around):
    """A small healthy network is trained before."""

    prelude = _OTHER

    def change(self, tree: ast.Module) -> ast.Module:
        for run in self.runs(tree):
            run.body[:0] = statements("fit_line()")
        return tree


class TrainingAfter(_Around):
    """A small healthy network is trained after."""

    prelude = _OTHER

    def change(self, tree: ast.Module) -> ast.Module:
        for run in self.runs(tree):
            end = run.body[-1]
            if isinstance(end, ast.Return) and end.value is not None:
                run.body[-1:] = [
                    ast.Assign([ast.Name("trained", ast.Store())], end.value),
                    *statements("fit_line()\nreturn trained")]
        return tree


class FrozenCompanion(_Around):
    """A frozen network of the program's own is asked before every backward pass."""

    prelude = '''
def frozen_network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        companion = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    return companion.requires_grad_(False).eval()

companion = frozen_network()
probe_inputs = torch.linspace(-1, 1, 32).reshape(8, 4)
'''

    def change(self, tree: ast.Module) -> ast.Module:
        for block in blocks(tree):
            for number in reversed(range(len(block))):
                node = block[number]
                if isinstance(node, ast.Expr) and method(node.value, "backward"):
                    block[number:number] = statements("features = companion(probe_inputs)")
        return tree


class OtherNames(Form):
    """Variables, parameters and functions of the program -> names that say nothing."""

    skips = ("locals()", "globals()", "getattr(", "nonlocal", "global ")

    def change(self, tree: ast.Module) -> ast.Module:
        used_as_keyword = {keyword.arg for node in ast.walk(tree) if isinstance(node, ast.Call)
                           for keyword in node.keywords}
        kept = {*RUNS, "FAULTS", "self", *self.imports, *dir(builtins), *used_as_keyword}
        fields = {part.target.id for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
                  for part in node.body if isinstance(part, ast.AnnAssign)
                  and isinstance(part.target, ast.Name)}
        fields |= {target.id for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
                   for part in node.body if isinstance(part, ast.Assign)
                   for target in part.targets if isinstance(target, ast.Name)}
        kept |= fields
        met: dict[str, str] = {}

        def named(name: str) -> None:
            if name not in kept and name not in met and not name.startswith("__"):
                met[name] = f"v{len(met)}"

        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                named(node.id)
            elif isinstance(node, ast.arg):
                named(node.arg)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = met.get(node.id, node.id)
            elif isinstance(node, ast.arg):
                node.arg = met.get(node.arg, node.arg)
        return tree


FORMS: tuple[type[Form], ...] = (TrainingBefore, TrainingAfter, FrozenCompanion, OtherNames)
