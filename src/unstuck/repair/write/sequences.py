"""Padded sequences: read without their padding, and masked the right way round."""

from __future__ import annotations

import ast
from typing import TypeGuard

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import Origin, hops
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import free_name, spell
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import (
    AttendBackwards,
    BooleanMask,
    IgnorePaddedSteps,
    InvertLossMask,
    InvertMask,
    LeaveOutPadding,
    OneDirection,
    ReadLastStep,
    ReadRealSteps,
    ShiftInputs,
    ShiftTargets,
    literal,
)
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.sequences import Ones, Reading


def write_real_steps(edit: ReadRealSteps, record: Record, index: Index) -> list[Patch]:
    """A line at the start of `forward` that finds the real steps, and another reading of them."""
    found = index.at(edit.at, "the expression that reads the time steps")
    function = found.source.function(found.node)
    if not isinstance(function, ast.FunctionDef) or found.source.class_of(found.node) is None:
        raise Refused(Reason.UNKNOWN_FORM, "The time steps are not read in the model's forward.")
    given = [parameter.arg for parameter in function.args.args[1:]]
    if edit.padding.argument >= len(given) or edit.padding.left:
        raise Refused(Reason.UNKNOWN_FORM, "Which argument is padded is not known.")
    how = {Reading.LAST: _last, Reading.STATE: _packed, Reading.MEAN: _mean}.get(edit.how)
    if how is None:
        raise Refused(Reason.UNKNOWN_FORM, "How the time steps are read is not known.")
    batch = given[edit.padding.argument]
    real = f"({batch} != {literal(edit.padding.value)})"
    if edit.padding.features:
        real += ".any(-1)"
    return [how(edit, index, found, function, given, real)]


def _last(
    edit: ReadRealSteps, index: Index, found: Found, function: ast.FunctionDef, given: list[str],
    real: str,
) -> Patch:
    if not isinstance(found.node, ast.Subscript):
        raise Refused(Reason.UNKNOWN_FORM, "The last step is not read by an index.")
    lengths, line = _lengths(edit, index, found, function, given, real)
    arange, needs = spell(index, found.source, "torch.arange")
    states = change.operand(found.source, found.node.value)
    samples, last = f"{arange}(len({lengths}))", f"{lengths} - 1"
    place = f"{samples}, {last}" if edit.time else f"{last}, {samples}"
    return Patch(edit, (*line, *change.replace(found.source, found.node, f"{states}[{place}]")),
                 Form.STATEMENT, needs)


def _packed(
    edit: ReadRealSteps, index: Index, found: Found, function: ast.FunctionDef, given: list[str],
    real: str,
) -> Patch:
    call = found.call
    statement = found.statement
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    states = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else None
    if not call.args or not isinstance(states, ast.Name) or any(
        isinstance(node, ast.Name) and node.id == states.id and isinstance(node.ctx, ast.Load)
        for node in ast.walk(function)
    ):
        raise Refused(Reason.UNKNOWN_FORM, "The output of the recurrent layer is read too.")
    lengths, line = _lengths(edit, index, found, function, given, real)
    pack, needs = spell(index, found.source, "torch.nn.utils.rnn.pack_padded_sequence")
    batch_first = ", batch_first=True" if edit.time else ""
    around = change.wrap(found.source, call.args[0], f"{pack}(",
                         f", {lengths}.cpu(){batch_first}, enforce_sorted=False)")
    return Patch(edit, (*line, *around), Form.STATEMENT, needs)


def _mean(
    edit: ReadRealSteps, index: Index, found: Found, function: ast.FunctionDef, given: list[str],
    real: str,
) -> Patch:
    call = found.call
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "mean":
        raise Refused(Reason.UNKNOWN_FORM, "The mean is not taken by a method.")
    name = free_name(index, found.source, "real")
    plain = real if edit.padding.features else real[1:-1]
    line = change.first_of_body(found.source, function, f"{name} = {plain}")
    states = change.operand(found.source, call.func.value)
    axis = 0 if edit.padding.axis else 1  # of the steps in the padded batch
    wide = f"{name}.unsqueeze(1)" if edit.time == 2 else f"{name}.unsqueeze(-1)"
    count = f"{name}.sum({axis}).unsqueeze(-1)"
    mean = f"({states} * {wide}).sum({edit.time}) / {count}"
    if isinstance(found.source.parents.get(call), ast.Attribute | ast.BinOp):
        mean = f"({mean})"
    return Patch(edit, (*line, *change.replace(found.source, call, mean)), Form.STATEMENT)


def _lengths(
    edit: ReadRealSteps, index: Index, found: Found, function: ast.FunctionDef, given: list[str],
    real: str,
) -> tuple[str, tuple[Splice, ...]]:
    """The name of the lengths, and the line that counts them if the model is not given them."""
    known = edit.padding.lengths
    if known is not None and known < len(given):
        return given[known], ()
    name = free_name(index, found.source, "lengths")
    axis = 0 if edit.padding.axis else 1
    return name, change.first_of_body(found.source, function, f"{name} = {real}.sum({axis})")


def write_last_step(edit: ReadLastStep, record: Record, index: Index) -> list[Patch]:
    """The index of the time axis becomes -1."""
    found = index.at(edit.at, "the expression that reads a time step")
    place = found.node.slice if isinstance(found.node, ast.Subscript) else None
    parts = place.elts if isinstance(place, ast.Tuple) else [] if place is None else [place]
    if len(parts) <= edit.axis or not isinstance(parts[edit.axis], ast.Constant):
        raise Refused(Reason.UNKNOWN_FORM, "The time step is not read by a number.")
    return [Patch(edit, change.replace(found.source, parts[edit.axis], "-1"), Form.LITERAL)]


# Masks -------------------------------------------------------------------------------------------
def write_inverted(edit: InvertMask, record: Record, index: Index) -> list[Patch]:
    """At the argument that is the mask: a `~` more or less, or the opposite comparison."""
    found = index.at(edit.at, "the call that is given the mask") if edit.at is not None else (
        _masked(index))
    source, mask = found.source, _mask(found.call)
    given = names.given_before(source, mask) if isinstance(mask, ast.Name) else None
    joined = _joined(given) if given is not None else None
    mask = joined if joined is not None else mask
    return [Patch(edit, change.replace(source, mask, _opposite(source, mask)), Form.CALL)]


def write_boolean(edit: BooleanMask, record: Record, index: Index) -> list[Patch]:
    """At the argument that is the mask: True where the attention wants it.

    `scaled_dot_product_attention` attends where a mask is True; the modules close what is.
    """
    found = index.at(edit.at, "the call that is given the mask")
    source, mask = found.source, _mask(found.call)
    attends = names.called(found.call) == "scaled_dot_product_attention"
    if edit.ones is (Ones.ABOVE if attends else Ones.BELOW):
        return [Patch(edit, change.replace(
            source, mask, f"{change.operand(source, mask)} == 0"), Form.CALL)]
    return [Patch(edit, change.method(source, mask, ".bool()"), Form.CALL)]


def _opposite(source: Source, mask: ast.expr) -> str:
    if isinstance(mask, ast.UnaryOp) and isinstance(mask.op, ast.Invert):
        return source.code(mask.operand)
    if isinstance(mask, ast.Compare) and len(mask.ops) == 1 and (
            type(mask.ops[0]) in change.OPPOSITE):
        return change.opposite(source, mask)
    return f"~{change.operand(source, mask)}"


def write_inverted_in_loss(edit: InvertLossMask, record: Record, index: Index) -> list[Patch]:
    """The only comparison that can be the mask, beside the loss or in a function called there."""
    found = index.at(edit.at, "the loss")
    here = list(names.inside(names.scope_of(found.source, found.node)))
    places = [(found.source, node) for node in here]
    for call in here:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            known = index.functions(call.func.id)
            places += [(known[0][0], node) for node in names.inside(known[0][1])] if (
                len(known) == 1) else []
    masks = {node: source for source, node in places if _may_mask(node, source)}
    if len(masks) != 1:
        raise Refused(Reason.NO_PLACE, "It is not known which comparison makes the mask.")
    (mask, source), = masks.items()
    return [Patch(edit, change.replace(source, mask, _opposite(source, mask)), Form.CALL)]


def _may_mask(node: ast.AST, source: Source) -> TypeGuard[ast.Compare]:
    """Whether a node compares elements, for no condition and for no count."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or (
            type(node.ops[0]) not in change.OPPOSITE):
        return False
    inner: ast.AST = node
    for outer in source.ancestors(node):
        if isinstance(outer, ast.stmt):
            return not (isinstance(outer, ast.If | ast.While | ast.Assert) and outer.test is inner)
        if isinstance(outer, ast.IfExp | ast.BoolOp) or (
                isinstance(outer, ast.Attribute) and outer.attr in ("mean", "sum", "item")):
            return False
        inner = outer
    return False


def write_shifted_inputs(edit: ShiftInputs, record: Record, index: Index) -> list[Patch]:
    """A line in front of what sets the first step of a copy of the targets."""
    found = index.at(edit.at, "what sets the first step")
    source, node = found.source, found.node
    held = node.value if isinstance(node, ast.Subscript) else None
    made = names.given_before(source, held) if isinstance(held, ast.Name) else None
    if not isinstance(held, ast.Name) or not isinstance(made, ast.Call) or not isinstance(
            made.func, ast.Attribute) or made.func.attr != "clone":
        raise Refused(Reason.UNKNOWN_FORM, "What the decoder is given is not made by clone().")
    copied = made.args[0] if made.args else made.func.value
    line = f"{held.id}[:, 1:] = {change.operand(source, copied)}[:, :-1]"
    return [Patch(edit, change.before(source, found.statement, line), Form.STATEMENT)]


def _masked(index: Index) -> Found:
    """The only call that is given a mask of padding. Raises Refused if there are several."""
    found = [Found(source, call) for source, call in index.nodes(ast.Call)
             if isinstance(call, ast.Call) and any(
                 (keyword.arg or "").endswith("key_padding_mask")
                 and not isinstance(keyword.value, ast.Constant) for keyword in call.keywords)]
    if len(found) != 1:
        raise Refused(Reason.NO_PLACE, "No single call is given a mask of padding.")
    return found[0]


def _joined(given: ast.expr) -> ast.expr | None:
    """The only part of a mask that is joined with constant ones: cat([zeros(b, 1), mask], 1)."""
    if not (isinstance(given, ast.Call) and names.called(given) in ("cat", "concat", "concatenate")
            and given.args and isinstance(given.args[0], ast.List | ast.Tuple)):
        return None
    parts = [each for each in given.args[0].elts if not (
        isinstance(each, ast.Call) and names.called(each) in (
            "zeros", "ones", "full", "new_zeros", "new_ones", "zeros_like", "ones_like"))]
    return parts[0] if len(parts) == 1 else None


def _mask(call: ast.Call) -> ast.expr:
    """What a call is given as the mask. Raises Refused if that is not known."""
    if names.called(call) in ("masked_fill", "masked_fill_", "where"):
        function = isinstance(call.func, ast.Name) or (
            isinstance(call.func, ast.Attribute) and names.dotted(call.func.value) == "torch")
        place = 1 if function and names.called(call) != "where" else 0
        name = "condition" if names.called(call) == "where" else "mask"
        found = change.argument(call, name, place)
        if found is not None:
            return found
    named = [keyword.value for keyword in call.keywords if "mask" in (keyword.arg or "")]
    padding = [keyword.value for keyword in call.keywords if "padding" in (keyword.arg or "")]
    if len(padding or named) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "Which argument is the mask is not known.")
    return (padding or named)[0]


def write_causal(edit: AttendBackwards, record: Record, index: Index) -> list[Patch]:
    """At the call: a mask of as many steps as its first argument has, if that is a variable."""
    found = index.at(edit.at, "the call of the attention")
    source, call = found.source, found.call
    if edit.argument == "is_causal":  # torch takes no mask beside it
        return [Patch(edit, (*change.drop_argument(source, call, "attn_mask", 3),
                             *change.set_argument(source, call, "is_causal", "True")), Form.CALL)]
    made, needs = spell(index, source, "torch.nn.Transformer.generate_square_subsequent_mask")
    given = call.args[0] if call.args else None
    size = (f"{given.id}.shape[1], device={given.id}.device" if isinstance(given, ast.Name)
            else str(edit.steps))
    return [Patch(edit, change.set_argument(
        source, call, edit.argument, f"{made}({size})"), Form.CALL, needs)]


def write_one_direction(edit: OneDirection, record: Record, index: Index) -> list[Patch]:
    """At the construction of the layer, and of those that take twice its width."""
    every = record.layers()
    layer = every.get(edit.layer)
    states = [p.shape[-1] for p in record.parameters().values()
              if p.layer == edit.layer and "weight_hh" in p.name]
    if layer is None or not states:
        raise Refused(Reason.NO_PLACE, f"The record has no recurrent layer {edit.layer}.")
    found = index.at(layer.location, f"the construction of {edit.layer}")
    given = change.argument(found.call, "bidirectional")
    both = _followed(index, found.source, given) if given is not None else None
    splices = list(change.replace(both.source, both.node, "False") if both is not None
                   else change.set_argument(found.source, found.call, "bidirectional", "False"))
    readers = {p.layer for p in record.parameters().values()
               if p.layer != edit.layer and len(p.shape) == 2 and p.shape[1] == 2 * states[0]}
    for name in readers:
        reader = index.at(every[name].location, f"the construction of {name}")
        width = reader.call.args[0] if reader.call.args else None
        if both is not None and given is not None and width is not None and any(
                ast.dump(each) == ast.dump(given) for each in ast.walk(width)):
            continue  # it is computed from the number of directions
        match width:
            case ast.BinOp(op=ast.Mult(), left=ast.Constant(value=2), right=half) | ast.BinOp(
                    op=ast.Mult(), left=half, right=ast.Constant(value=2)):
                splices += change.replace(reader.source, width, reader.source.code(half))
            case ast.Constant(value=int()):
                splices += change.replace(reader.source, width, str(states[0]))
            case _:
                raise Refused(Reason.UNKNOWN_FORM, f"How wide {name} is does not follow from "
                              "its text.")
    return [Patch(edit, tuple(splices), Form.MODEL)]


def _followed(index: Index, source: Source, given: ast.expr) -> Origin | None:
    """Where the text says `True` of what an argument is given by a name."""
    origin = next((each for each in hops(index, source, given)
                   if not isinstance(each.node, ast.Name | ast.Attribute)), None)
    return origin if origin is not None and isinstance(origin.node, ast.Constant) else None


def write_without_padding(edit: LeaveOutPadding, record: Record, index: Index) -> list[Patch]:
    """At the call of the loss, or the difference: both of what it compares, at real targets."""
    found = index.at(edit.at, "the loss")
    source = found.source
    output: ast.expr | None
    target: ast.expr | None
    if isinstance(found.node, ast.BinOp) and isinstance(found.node.op, ast.Sub):
        loss = next((each for each in record.facts(Loss) if each.location == edit.at), None)
        output, target = found.node.left, found.node.right
        if loss is not None and loss.input_first is False:
            output, target = target, output
    else:
        output, target = (change.argument(found.call, *each)
                          for each in (("input", 0), ("target", 1)))
    if output is None or not isinstance(target, ast.Name | ast.Attribute):
        raise Refused(Reason.UNKNOWN_FORM, "The loss is not given its targets by a name.")
    real = f"[{source.code(target)} != {literal(edit.value)}]"
    splices = [splice for each in (output, target) for splice in change.replace(
        source, each, f"{change.operand(source, each)}{real}")]
    return [Patch(edit, tuple(splices), Form.CALL)]


def write_ignored_steps(edit: IgnorePaddedSteps, record: Record, index: Index) -> list[Patch]:
    """At the call of the loss: the variable in its target, with another class at padded steps."""
    call, loss = index.at(edit.call, "the call of the model"), index.at(edit.at, "the loss")
    target = change.argument(loss.call, "target", 1)
    wanted = [each for each in ast.walk(target) if isinstance(each, ast.Name)] if target else []
    given = call.call.args[edit.argument:edit.argument + 1]
    if len(wanted) != 1 or not given or not isinstance(given[0], ast.Name | ast.Attribute) or (
            call.source is not loss.source
            or call.source.function(call.node) is not loss.source.function(loss.node)):
        raise Refused(Reason.UNKNOWN_FORM, "Model and loss are not both given a variable here.")
    padded = f"{call.source.code(given[0])} == {literal(edit.value)}"
    return [Patch(edit, change.method(loss.source, wanted[0], f".masked_fill({padded}, -100)"),
                  Form.CALL)]


def write_shifted(edit: ShiftTargets, record: Record, index: Index) -> list[Patch]:
    """At the calls of model and loss, which are given the same variable; else at the loss alone."""
    loss = index.at(edit.at, "the loss")
    output, target = (change.argument(loss.call, *each) for each in (("input", 0), ("target", 1)))
    made, wanted = _variables(output), _variables(target)
    call = index.at(edit.call, "the call of the model") if edit.call is not None else None
    given = [each for each in (*call.call.args, *(k.value for k in call.call.keywords))
             if isinstance(each, ast.Name)] if call is not None else []
    shared = {each.id for each in given} & {each.id for each in wanted}
    if call is not None and len(shared) == 1 and call.source is loss.source:
        parts = [(each, part) for names_, part in ((given, ":-1"), (wanted, "1:"))
                 for each in names_ if each.id in shared]
    elif len(made) == len(wanted) == 1:
        parts = [(made[0], ":-1"), (wanted[0], "1:")]
    else:
        raise Refused(Reason.UNKNOWN_FORM, "Model and loss are not given one variable.")
    before = ":, " if edit.time else ""
    return [Patch(edit, tuple(
        splice for each, part in parts for splice in change.replace(
            loss.source, each, f"{each.id}[{before}{part}]{_whole(loss, each)}")), Form.CALL)]


def _variables(node: ast.expr | None) -> list[ast.Name]:
    """The variables that an argument is made of, without what its methods are given."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return [each for each in ast.walk(node) if isinstance(each, ast.Name)] if node else []


def _whole(loss: Found, name: ast.Name) -> str:
    """What a part of a tensor needs before its shape can be changed by `view`."""
    outer = loss.source.parents.get(name)
    return ".contiguous()" if isinstance(outer, ast.Attribute) and outer.attr == "view" else ""


WRITERS = {
    ShiftTargets: write_shifted,
    ReadRealSteps: write_real_steps,
    ReadLastStep: write_last_step,
    InvertMask: write_inverted, BooleanMask: write_boolean,
    InvertLossMask: write_inverted_in_loss, ShiftInputs: write_shifted_inputs,
    AttendBackwards: write_causal,
    OneDirection: write_one_direction,
    LeaveOutPadding: write_without_padding,
    IgnorePaddedSteps: write_ignored_steps,
}
