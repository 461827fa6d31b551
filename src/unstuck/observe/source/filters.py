"""What a program says by its text about what it loads: chosen by a condition, under two names."""

from __future__ import annotations

import ast

from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.schema.places import SourceLocation


def filter_at(call: SourceLocation | None, keep_text: bool) -> SourceLocation | None:
    """Where a condition chooses the keys of the dict that is a call's first argument.

    The dict is a comprehension with a condition, or a name that is one, is updated with one, or
    gets its items under an `if`. None if no condition is seen.
    """
    tree = syntax_tree(call.file) if call is not None else None
    if call is None or tree is None:
        return None
    given = next((node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call)
                  and node.args and (node.lineno, node.end_lineno) == (call.line, call.end_line)),
                 None)
    found = _chosen(given, tree) if given is not None else None
    return None if found is None else expression_at(call.file, found, keep_text)


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


def _chosen(given: ast.expr, tree: ast.Module, deepest: int = 3) -> ast.expr | None:
    """The comprehension that chooses, or the test of the `if`."""
    if isinstance(given, ast.DictComp):
        return given if any(part.ifs for part in given.generators) else None
    if not isinstance(given, ast.Name) or not deepest:
        return None
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == given.id:
                pass
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update"),
                          args=[value]) if name == given.id:
                pass
            case ast.If(test=test):
                if any(isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store)
                       and isinstance(part.value, ast.Name) and part.value.id == given.id
                       for part in ast.walk(node)):
                    return test
                continue
            case _:
                continue
        if value is not given and (found := _chosen(value, tree, deepest - 1)) is not None:
            return found
    return None
