"""What a form is: a rewrite of a program that keeps what it computes."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, ClassVar, TypeGuard

MARK = "marked"  # the attribute of nodes whose place is followed


class Form(ast.NodeTransformer):
    """A rewrite of programs. The docstring of each says what becomes what.

    An instance rewrites one program. `prelude` is what the rewritten text needs, put behind the
    program's imports. A node that takes the place of one whose place is followed is followed.
    """

    prelude: ClassVar[str] = ""
    skips: ClassVar[tuple[str, ...]] = ()  # a program whose text holds one of these is left alone

    def __init__(self) -> None:
        self.imports: dict[str, str] = {}
        self.tree = ast.Module([], [])

    @classmethod
    def name(cls) -> str:
        """What the form is called, in lower case with hyphens."""
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("-")

    def applies(self, tree: ast.Module) -> bool:
        """Whether the form changes anything in a program."""
        return self._changed(tree) is not None

    def rewrite(self, tree: ast.Module) -> ast.Module:
        """A program that computes the same; the very tree is left as it is."""
        return self._changed(tree) or tree

    def _changed(self, tree: ast.Module) -> ast.Module | None:
        text = ast.unparse(tree)
        if any(word in text for word in self.skips):
            return None
        self.tree = pickle.loads(pickle.dumps(tree))  # a deep copy in a sixth of the time
        self.imports = imports(self.tree)
        made = ast.fix_missing_locations(self.change(self.tree))
        if ast.dump(made) == ast.dump(tree):
            return None
        place = next((number for number, node in enumerate(made.body) if number and not isinstance(
            node, ast.Import | ast.ImportFrom)), len(made.body))
        text = f"import torch\n{self.prelude}" if "torch" not in imports(tree) else self.prelude
        made.body[place:place] = ast.parse(text).body
        return ast.fix_missing_locations(made)

    def change(self, tree: ast.Module) -> ast.Module:
        """Changes a tree in place, and returns it or another."""
        made = self.visit(tree)
        assert isinstance(made, ast.Module)
        return made

    def visit(self, node: ast.AST) -> Any:
        """Visits a node; what takes its place inherits its mark."""
        made = super().visit(node)
        if hasattr(node, MARK):
            for each in made if isinstance(made, list) else [made]:
                if each is not None:
                    setattr(each, MARK, getattr(node, MARK))
        return made

    def function(self, node: ast.AST) -> str:
        """The full name of what a name or an attribute of a module stands for, or ""."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.function(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def called(self, node: ast.AST) -> str:
        """The full name of what a node calls, or ""."""
        return self.function(node.func) if isinstance(node, ast.Call) else ""


def imports(tree: ast.AST) -> dict[str, str]:
    """What each imported name of a program stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def expression(text: str, **parts: ast.expr) -> ast.expr:
    """The expression of a text, with its names from `parts` replaced."""
    return _put(ast.parse(text, mode="eval").body, parts)


def statements(text: str, **parts: ast.expr) -> list[ast.stmt]:
    """The statements of a text, with their names from `parts` replaced."""
    return [_put(node, parts) for node in ast.parse(text).body]


def _put(node: Any, parts: dict[str, ast.expr]) -> Any:
    class Put(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return deepcopy(parts[name.id]) if name.id in parts else name

    return Put().visit(node)


def method(node: ast.AST, *names: str) -> TypeGuard[ast.Call]:
    """Whether a node is a call of a method with one of the names, of a plain variable."""
    return (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            and node.func.attr in names and isinstance(node.func.value, ast.Name))


def owner(node: ast.Call) -> str:
    """The name of the variable whose method is called."""
    assert isinstance(node.func, ast.Attribute)
    assert isinstance(node.func.value, ast.Name)
    return node.func.value.id


def owners(tree: ast.AST, *methods: str) -> set[str]:
    """Names of variables of which one of the methods is called."""
    return {owner(node) for node in ast.walk(tree) if method(node, *methods)} - {"self"}


def models(tree: ast.AST) -> set[str]:
    """Names of variables that hold a model."""
    return owners(tree, "parameters", "named_parameters", "train", "eval")


def optimizers(form: Form, tree: ast.AST) -> set[str]:
    """Names of variables that hold an optimizer of torch."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(
            form.called(part).startswith("torch.optim.") and "lr_scheduler" not in form.called(part)
            for part in ast.walk(node.value)
        ):
            found |= {target.id for target in ast.walk(node) if isinstance(target, ast.Name)
                      and isinstance(target.ctx, ast.Store)}
    return (found or {"optimizer"}) | (owners(tree, "zero_grad") & owners(tree, "step"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Every function of a program."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node


def classes(form: Form, tree: ast.Module) -> list[ast.ClassDef]:
    """The classes of models that a program defines."""
    return [node for node in tree.body if isinstance(node, ast.ClassDef) and any(
        form.function(base) == "torch.nn.Module" for base in node.bases)]


def body_of(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    """A method of a class."""
    return next((each for each in node.body if isinstance(each, ast.FunctionDef)
                 and each.name == name), None)


def blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements in a program."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield block


def plain(node: ast.Call, count: int, keywords: Sequence[str] = ()) -> bool:
    """Whether a call has so many plain arguments, and no keywords but these."""
    return len(node.args) == count and not any(
        isinstance(arg, ast.Starred) for arg in node.args) and all(
        keyword.arg in keywords for keyword in node.keywords)
