"""What a program says by its text about what it loads: chosen by a condition, under two names."""

from __future__ import annotations

import ast

from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.schema.places import SourceLocation


def is_filtered(call: SourceLocation | None) -> bool:
    """Whether a call's first argument is a dict whose keys a condition chooses.

    It is a comprehension with a condition, or a name that is one, is updated with one, or gets its
    items under an `if`.
    """
    tree = syntax_tree(call.file) if call is not None else None
    if call is None or tree is None:
        return False
    given = next((node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call)
                  and node.args and (node.lineno, node.end_lineno) == (call.line, call.end_line)),
                 None)
    return given is not None and _is_chosen(given, tree)


def second_name(call: SourceLocation | None, keep_text: bool) -> SourceLocation | None:
    """The name that the receiver of a call was assigned from: `q` of `target = q`."""
    tree = syntax_tree(call.file) if call is not None else None
    if call is None or tree is None:
        return None
    receivers = {ast.unparse(node.func.value) for node in ast.walk(tree)
                 if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                 and (node.lineno, node.end_lineno) == (call.line, call.end_line)}
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign)
             and isinstance(node.value, ast.Name | ast.Attribute)
             and any(ast.unparse(target) in receivers for target in node.targets)]
    return expression_at(call.file, found[0], keep_text) if len(found) == 1 else None


def _is_chosen(given: ast.expr, tree: ast.Module, deepest: int = 3) -> bool:
    if isinstance(given, ast.DictComp):
        return any(part.ifs for part in given.generators)
    if not isinstance(given, ast.Name) or not deepest:
        return False
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == given.id:
                pass
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update"),
                          args=[value]) if name == given.id:
                pass
            case ast.If():
                if any(isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store)
                       and isinstance(part.value, ast.Name) and part.value.id == given.id
                       for part in ast.walk(node)):
                    return True
                continue
            case _:
                continue
        if value is not given and _is_chosen(value, tree, deepest - 1):
            return True
    return False
