"""A patch: what one edit changes in the texts, as splices, and what else it brings along."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.repair.text import Splice
from unstuck.schema.edits import Edit
from unstuck.schema.places import SourceLocation


class Form(StrEnum):
    """Where a patch makes its change; a name was followed to get to some of them."""

    LITERAL = "literal"  # the value at the place itself
    CONSTANT = "constant"  # the definition of a name that serves nothing else
    DEFAULT = "default"  # the default of a parameter that no caller overrides
    ARGUMENT = "argument"  # what the only caller passes
    ARGPARSE = "argparse"  # the default of an option
    FIELD = "field"  # the field of a configuration class
    DICTIONARY = "dictionary"  # the entry of a dictionary
    CALL = "call"  # the call at the place, whatever its values come from
    FACTOR = "factor"  # a factor at the place
    GROUPS = "groups"  # the parameter groups of an optimizer
    STATEMENT = "statement"  # a statement more or less, or moved
    MODEL = "model"  # the model's class or construction
    DATA = "data"  # where the data are made


@dataclass(frozen=True, slots=True)
class Need:
    """An import, or a helper of ours, that a patch needs at the head of a file.

    Two patches that need the same one share it.
    """

    file: str
    name: str
    text: str
    helper: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """What the record of a run of the patched program must show, or the run proves nothing.

    `subject` names what is looked at: "optimizer.lr", "loader.sampler", "loss.input_operation",
    "layer.kind", "optimizer.parameters"; `where` is its name in the record.
    """

    subject: str
    where: str
    value: str


@dataclass(frozen=True, slots=True)
class Patch:
    """The splices of one edit in one form. They do not overlap.

    `at` is what is at fault, where that is not what the splices replace.
    """

    edit: Edit
    splices: tuple[Splice, ...]
    form: Form
    needs: tuple[Need, ...] = ()
    checks: tuple[Check, ...] = ()
    at: SourceLocation | None = None
