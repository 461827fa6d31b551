"""Batches from loaders, slices and generators."""

from __future__ import annotations

import ast

from corpus.forms.form import Form, expression, plain


def _drawn_by(form: Form, node: ast.For, function: str) -> ast.stmt:
    """`for rows in order.split(n)` over shuffled rows -> over what a function gives."""
    form.generic_visit(node)
    split = node.iter
    if isinstance(split, ast.Call) and isinstance(split.func, ast.Attribute) and (
            split.func.attr == "split" and plain(split, 1) and isinstance(
                node.target, ast.Name)) and "randperm" in ast.unparse(split.func):
        node.iter = ast.Call(expression(function), [split.func.value, split.args[0]], [])
    return node


class RowsByLoader(Form):
    """`for rows in order.split(n)` -> a `DataLoader` over the order."""

    prelude = '''
def rows_of(order, size):
    rows = torch.utils.data.TensorDataset(order)
    own = torch.Generator()
    for (part,) in torch.utils.data.DataLoader(rows, batch_size=size, generator=own):
        yield part
'''

    def visit_For(self, node: ast.For) -> ast.stmt:
        return _drawn_by(self, node, "rows_of")


class RowsByGenerator(Form):
    """`for rows in order.split(n)` -> a function that yields slices."""

    prelude = '''
def slices(order, size):
    for start in range(0, len(order), size):
        yield order[start : start + size]
'''

    def visit_For(self, node: ast.For) -> ast.stmt:
        return _drawn_by(self, node, "slices")


class LoadersByHand(Form):
    """`DataLoader(tensors, ...)` -> a class of the program's own that yields slices."""

    prelude = '''
class Batches:
    def __init__(self, dataset, batch_size=1, shuffle=False, drop_last=False, generator=None):
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.drop_last, self.generator = drop_last, generator

    def __len__(self):
        count = len(self.dataset)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self):
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        order = torch.arange(len(self.dataset))
        if self.shuffle:
            drawn = self.generator
            if drawn is None:
                drawn = torch.Generator()
                drawn.manual_seed(int(torch.empty((), dtype=torch.int64).random_().item()))
            order = torch.randperm(len(order), generator=drawn)
        for number in range(len(self)):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size].tolist()
            yield torch.utils.data.default_collate([self.dataset[row] for row in rows])
'''
    options = ("batch_size", "shuffle", "drop_last", "generator")
    skips = ("IterableDataset", "isinstance(", "loader.batch_size", "sampler")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if self.called(node) == "torch.utils.data.DataLoader" and len(node.args) <= 3 and all(
                keyword.arg in self.options for keyword in node.keywords):
            node.func = ast.Name("Batches", ast.Load())
        return node


class LoopsByGenerator(Form):
    """`for batch in loader` -> a generator of the program's own around it."""

    prelude = '''
def stream(batches):
    iterator = iter(batches)
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        yield batch
'''

    def visit_For(self, node: ast.For) -> ast.stmt:
        self.generic_visit(node)
        if isinstance(node.iter, ast.Name) and "loader" in node.iter.id:
            node.iter = ast.Call(expression("stream"), [node.iter], [])
        return node


class TablesByColumns(Form):
    """`torch.tensor(rows)` -> of a table that is kept by columns, as pandas keeps its own."""

    prelude = '''
import numpy

def by_columns(rows):
    table = isinstance(rows, numpy.ndarray) and rows.ndim == 2
    return numpy.asfortranarray(rows) if table else rows
'''

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if self.called(node) in ("torch.tensor", "torch.from_numpy", "torch.as_tensor") and (
                node.args and not isinstance(node.args[0], ast.Constant | ast.List | ast.Tuple)):
            node.args[0] = ast.Call(ast.Name("by_columns", ast.Load()), [node.args[0]], [])
        return node


FORMS: tuple[type[Form], ...] = (
    RowsByLoader, RowsByGenerator, LoadersByHand, LoopsByGenerator, TablesByColumns)
