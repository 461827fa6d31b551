"""Medians in the place of numbers that stand for missing ones."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Splice
from unstuck.repair.write.scaling import MOST_NUMBERS, first_line, model_of
from unstuck.schema.edits import Impute, literal


def write_impute(edit: Impute, record: Record, index: Index) -> list[Patch]:
    """At the start of the model's forward; else around what each call of the model receives."""
    if len(edit.medians) > MOST_NUMBERS:
        raise Refused(Reason.UNKNOWN_FORM, f"{len(edit.medians):,} medians are too many to write "
                      "out.")
    model = model_of(record)
    forward = first_line(index, model)
    if forward is not None:
        source, method, taken = forward
        name, needs = spell(index, source, "torch.where")
        code = f"{taken} = {_imputed(edit, name, taken)}"
        return [Patch(edit, change.first_of_body(source, method, code), Form.MODEL, needs)]
    found = index.at(model.call_location, "the call of the model")
    held = names.dotted(found.call.func)
    splices: list[Splice] = []
    every: list[Need] = []
    for source, call in index.calls(held.rpartition(".")[2]):
        if names.dotted(call.func) != held or not call.args:
            continue
        if not isinstance(call.args[0], ast.Name | ast.Attribute | ast.Subscript):
            raise Refused(Reason.UNKNOWN_FORM, "The model is called with more than a variable.")
        name, needs = spell(index, source, "torch.where")
        splices += change.replace(
            source, call.args[0], _imputed(edit, name, source.code(call.args[0])))
        every += needs
    return [Patch(edit, tuple(splices), Form.CALL, tuple(dict.fromkeys(every)))]


def _imputed(edit: Impute, where: str, given: str) -> str:
    value = literal(edit.value) if float(literal(edit.value)) == edit.value else repr(edit.value)
    if len(edit.medians) == 1:
        return f"{where}({given} == {value}, {literal(edit.medians[0])}, {given})"
    medians = ", ".join(map(literal, edit.medians))
    return f"{where}({given} == {value}, {given}.new_tensor([{medians}]), {given})"


WRITERS = {Impute: write_impute}
