"""How samples are drawn and fetched: from which rows, a weight for each, their number, a copy."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Source
from unstuck.schema.edits import (
    CopySample,
    DrawFromAll,
    MoreSamples,
    SeedByWorker,
    WeightPerSample,
    WholeLength,
)
from unstuck.schema.facts.calls import CallRole, LossCall
from unstuck.schema.facts.data import Loader

# What draws rows below a number, which it is given first, or behind a zero.
_DRAWS = (
    "randperm", "permutation", "choice", "randint", "integers", "randrange", "arange", "sample")
_COUNT = ("bincount", "Counter", "unique", "value_counts")


def write_draw(edit: DrawFromAll, record: Record, index: Index) -> list[Patch]:
    """The length of the variable in the place of the number below which rows are drawn."""
    found = index.at(edit.at, "the call that receives the rows")
    source = found.source
    picked = _picked(found.source, found.statement, edit.variable) or _picked(
        source, source.tree, edit.variable)  # in a function that hands out batches
    drawn = _drawn(index, Found(source, *picked.values())) if len(picked) == 1 else None
    if drawn is None:
        raise Refused(Reason.UNKNOWN_FORM, f"How the rows of {edit.variable} are drawn does not "
                      "follow from the text.")
    return [Patch(edit, change.replace(drawn.source, drawn.expression, f"len({edit.variable})"),
                  Form.DATA)]


def _picked(source: Source, within: ast.AST, variable: str) -> dict[str, ast.expr]:
    """What the rows of a variable are taken by, each once."""
    return {source.code(node.slice): node.slice for node in ast.walk(within)
            if isinstance(node, ast.Subscript) and source.code(node.value) == variable
            and not isinstance(node.slice, ast.Slice | ast.Tuple)}


def _drawn(index: Index, rows: Found, deepest: int = DEEPEST) -> Found | None:
    """The number below which rows are drawn, or what the only caller passes for it."""
    source, node = rows.source, rows.expression
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and names.called(each) in _DRAWS and each.args:
            given = each.args[0]
            if isinstance(given, ast.Constant) and given.value == 0 and len(each.args) > 1:
                given = each.args[1]  # from 0 up to it
            if isinstance(given, ast.Call | ast.Name | ast.Attribute | ast.BinOp | ast.Constant):
                passed = hop(index, source, given)
                return Found(passed.source, passed.node) if passed is not None and (
                    passed.form is Form.ARGUMENT) else Found(source, given)
    if not deepest:
        return None
    made = _made(index, source, node)
    return _drawn(index, made, deepest - 1) if made is not None else None


def _made(index: Index, source: Source, node: ast.expr) -> Found | None:
    """What gives rows their value: an assignment, a loop, or a function that returns it."""
    if isinstance(node, ast.Subscript):
        return Found(source, node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        returned = [(where, each.value) for where, function in index.functions(node.func.id)
                    for each in ast.walk(function)
                    if isinstance(each, ast.Return) and each.value is not None]
        return Found(*returned[0]) if len(returned) == 1 else None
    if not isinstance(node, ast.Name):
        return None
    for loop in source.ancestors(node):
        if isinstance(loop, ast.For) and node.id in {
                each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)}:
            return Found(source, loop.iter)
    origin = hop(index, source, node)
    return Found(origin.source, origin.node) if origin is not None else None


def write_weights(edit: WeightPerSample, record: Record, index: Index) -> list[Patch]:
    """The weights are picked by the labels: those of a variable, else those of the data set."""
    found = index.at(edit.at, "the construction of the sampler")
    given = change.argument(found.call, "weights", 0)
    if given is None:
        raise Refused(Reason.UNKNOWN_FORM, "The weights of the sampler are not an argument of it.")
    weights = change.operand(found.source, given)
    data = _data_set(edit, record, index)
    labels = _labels(found, data, record, index)
    if labels is not None:
        text = f"[{weights}[int(label)] for label in {labels}]"
    elif data is not None and names.dotted(data.expression):
        text = f"[{weights}[int(label)] for _, label in {names.dotted(data.expression)}]"
    else:
        raise Refused(Reason.NO_PLACE, "unstuck does not know which variable holds the labels.",
                      ("the variable that holds the labels",))
    return [Patch(edit, change.replace(found.source, given, text), Form.DATA)]


def _data_set(edit: WeightPerSample, record: Record, index: Index) -> Found | None:
    """What the loader of the sampler is given as its data set, where the sampler can see it."""
    loader = next((x for x in record.facts(Loader)
                   if x.built is not None and x.built == edit.at), None)
    if loader is None or loader.location is None:
        return None
    place = index.at(loader.location, "the loader")
    sampler = index.at(edit.at, "the construction of the sampler")
    given = change.argument(place.call, "dataset", 0)
    if given is None or place.source.function(place.node) is not sampler.source.function(
            sampler.node) or place.source is not sampler.source:
        return None
    return Found(place.source, given)


def _labels(found: Found, data: Found | None, record: Record, index: Index) -> str | None:
    """An expression for the labels of all samples, in the scope of the sampler."""
    if data is not None:
        made = data.expression
        origin = hop(index, data.source, made) if isinstance(made, ast.Name) else None
        if origin is not None and origin.source is data.source and isinstance(
                origin.node, ast.expr) and data.source.function(
                origin.node) is data.source.function(data.node):
            made = origin.node
        if isinstance(made, ast.Call) and names.called(made) == "TensorDataset" and len(
                made.args) > 1 and names.dotted(made.args[-1]):
            return names.dotted(made.args[-1])
    function = found.source.function(found.node)
    scope = function.name if function is not None else ""
    for call in record.facts(LossCall):
        variable = call.variable
        if call.role is CallRole.TRAIN and variable is not None and not variable.whole and (
                variable.file == found.source.name) and (
                variable.function.rpartition(".")[2] in ("", scope)):
            return variable.name
    return _counted(found)


def _counted(found: Found) -> str | None:
    """The only variable whose classes the sampler's own function counts: np.bincount(labels)."""
    scope = found.source.function(found.node) or found.source.tree
    counted = {names.dotted(node.args[0]) for node in names.inside(scope)
               if isinstance(node, ast.Call) and names.called(node) in _COUNT and node.args}
    return counted.pop() or None if len(counted) == 1 else None


def write_copy(edit: CopySample, record: Record, index: Index) -> list[Patch]:
    """The method that copies, called on what takes a sample from where it is stored."""
    found = index.at(edit.at, "the sample that is fetched")
    return [Patch(edit, change.method(found.source, found.expression, f".{edit.method}()"),
                  Form.DATA)]


def write_length(edit: WholeLength, record: Record, index: Index) -> list[Patch]:
    """What is divided, without the division: a call of len, else what stands in front of it."""
    found = index.at(edit.at, "what the data set returns as its length")
    parts = list(ast.walk(found.expression))
    lengths = [n for n in parts if isinstance(n, ast.Call) and names.called(n) == "len"]
    divided = [n.left for n in parts if isinstance(n, ast.BinOp) and isinstance(
        n.op, ast.Div | ast.FloorDiv) and isinstance(n.left, ast.Attribute | ast.Subscript)]
    if not lengths and not divided:
        raise Refused(Reason.UNKNOWN_FORM, "The length is not that of one thing.")
    whole = (lengths or divided)[0]
    return [Patch(edit, change.replace(found.source, found.expression, found.source.code(whole)),
                  Form.DATA)]


def write_seed(edit: SeedByWorker, record: Record, index: Index) -> list[Patch]:
    """The seed of the worker, in all calls of the function that seed by the same expression.

    And in those of torch's generator, which would give all workers the same number again.
    """
    found = index.at(edit.at, "what seeds the workers")
    given = found.call.args[:1] or [each.value for each in found.call.keywords[:1]]
    if not given:
        raise Refused(Reason.UNKNOWN_FORM, "The number that the workers are seeded by is not an "
                      "argument there.")
    source, number = found.source, found.source.code(given[0])
    scope = source.function(found.node) or found.statement
    seed, needs = spell(index, source, "torch.initial_seed")
    splices = [splice for node in ast.walk(scope)
               if isinstance(node, ast.Call) and "seed" in names.called(node)
               for each in (*node.args[:1], *(k.value for k in node.keywords[:1]))
               if source.code(each) == number or names.called(node) == "manual_seed"
               for splice in change.replace(source, each, f"{seed}() % 2**32")]
    return [Patch(edit, tuple(splices), Form.DATA, needs)]


def write_more(edit: MoreSamples, record: Record, index: Index) -> list[Patch]:
    """Where the text says how many samples are taken."""
    found = index.at(edit.at, "the number of training samples")
    if not isinstance(found.node, ast.Constant):
        raise Refused(Reason.UNKNOWN_FORM, "The number of samples is not written there.")
    return [Patch(edit, change.replace(found.source, found.node, str(edit.samples)), Form.LITERAL)]


WRITERS = {
    CopySample: write_copy, DrawFromAll: write_draw, MoreSamples: write_more,
    SeedByWorker: write_seed, WeightPerSample: write_weights, WholeLength: write_length,
}
