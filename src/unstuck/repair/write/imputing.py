"""Medians in the place of numbers that stand for missing ones."""

from __future__ import annotations

from unstuck.record.reader import Record
from unstuck.repair import change
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import free_name, spell
from unstuck.repair.write.scaling import MOST_NUMBERS, first_line, model_of, whole
from unstuck.schema.edits import Impute, literal

HELPER = '''\
class {name}({module}):
    """Puts medians of the training data in the place of missing numbers."""

    def __init__(self, missing, medians):
        super().__init__()
        self.missing, self.medians = missing, medians

    def forward(self, x):
        return x.where(x != self.missing, x.new_tensor(self.medians))'''


def write_impute(edit: Impute, record: Record, index: Index) -> list[Patch]:
    """At the start of the model's forward; else in a layer in front of the model."""
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
    found = whole(index, model)
    name = free_name(index, found.source, "Impute")
    module, needs = spell(index, found.source, "torch.nn.Module")
    sequential, more = spell(index, found.source, "torch.nn.Sequential")
    helper = Need(found.source.name, name, HELPER.format(name=name, module=module), helper=True)
    medians = ", ".join(map(literal, edit.medians))
    splices = change.wrap(found.source, found.call,
                          f"{sequential}({name}({_value(edit)}, [{medians}]), ", ")")
    return [Patch(edit, splices, Form.MODEL, tuple(dict.fromkeys((*needs, *more, helper))))]


def _value(edit: Impute) -> str:
    text = literal(edit.value)
    return text if float(text) == edit.value else repr(edit.value)


def _imputed(edit: Impute, where: str, given: str) -> str:
    value = _value(edit)
    if len(edit.medians) == 1:
        return f"{where}({given} == {value}, {literal(edit.medians[0])}, {given})"
    medians = ", ".join(map(literal, edit.medians))
    return f"{where}({given} == {value}, {given}.new_tensor([{medians}]), {given})"


WRITERS = {Impute: write_impute}
