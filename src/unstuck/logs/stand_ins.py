"""Held-out losses whose names do not say that they are one: told by how they behave."""

from __future__ import annotations

import numpy as np

from unstuck.logs.names import Kind, Name, Part
from unstuck.logs.numbers import LOGARITHMS, begins_alike, is_its_power, logarithm
from unstuck.logs.table import Column, Table

RISE = 1.1  # of its lowest level: a loss that ends so while the train loss falls is another one


def unmeasured(table: Table, names: dict[str, Name], train: Column,
                remarks: list[str]) -> Column | None:
    """The column "valid" beside the only loss, or its cross entropy, if it behaves as that loss of
    held-out data."""
    own = names[train.name]
    if own.kind is not Kind.LOSS or own.rest:
        return None
    able = [c for n, c in table.columns.items() if names[n].of_data_alone] or [
        c for n, c in table.columns.items()
        if names[n].part is Part.HELD_OUT and names[n].measure & LOGARITHMS and c is not train]
    if len(able) != 1 or names[able[0].name].part is not Part.HELD_OUT or (
            not begins_alike(train, able[0])):
        return None
    remarks.append(f"{able[0].name!r} does not say what it measures; unstuck takes it for the "
                   "held-out loss, since it begins where the loss does.")
    return able[0]


def by_perplexity(table: Table, names: dict[str, Name], train: Column,
                remarks: list[str]) -> Column | None:
    """The held-out perplexity as a loss, where no column is the held-out loss itself."""
    of = {part: [c for n, c in table.columns.items() if names[n].measure == {"perplexity"}
                 and not names[n].rest and (names[n].part is Part.HELD_OUT) is part]
          for part in (True, False)}
    if not of[True] or names[train.name].part is Part.HELD_OUT:
        return None
    own = next((c for c in of[False] if len(c) == len(train)), None)
    found = logarithm(of[True][0], names[train.name], train, own)
    if found is not None:
        remarks.append(f"unstuck takes the logarithm of {found.name!r} to compare it with "
                       f"{train.name!r}.")
    return found


def held_out_powers(table: Table, names: dict[str, Name]) -> list[str]:
    """The perplexities that do not say their data, but are the exponentials of a held-out loss."""
    losses = [c for n, c in table.columns.items()
              if names[n].part is Part.HELD_OUT and names[n].measure & LOGARITHMS]
    return [n for n, c in table.columns.items() if names[n].measure == {"perplexity"}
            and names[n].part is Part.UNSAID and any(is_its_power(c, loss) for loss in losses)]


def departing(table: Table, names: dict[str, Name], train: Column,
              remarks: list[str]) -> Column | None:
    """The column "loss" beside "train_loss" in the same rows, if it rises while that one falls:
    then it is not of training data."""
    own = names[train.name]
    if own.kind is not Kind.LOSS or own.part is not Part.TRAIN:
        return None
    able = [c for n, c in table.columns.items() if names[n].part is Part.UNSAID
            and names[n].kind is own.kind and names[n].measure == own.measure
            and names[n].rest == own.rest and len(c) == len(train)]
    if len(able) != 1 or not begins_alike(train, able[0]):
        return None
    a, b = train.values, able[0].values
    part = max(len(a) // 8, 3)
    rises, other = (np.median(values[-part:]) > RISE * np.median(np.sort(values)[:part])
                    for values in (b, a))
    if other or not rises:
        return None
    remarks.append(f"{able[0].name!r} rises while {train.name!r} falls, so unstuck takes it for "
                   "the held-out loss.")
    return able[0]
