"""Targets made of values: the network that they come from, and the ends of episodes."""

from __future__ import annotations

import ast
import re

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import spell, steps
from unstuck.repair.text import Splice
from unstuck.repair.write.sharing import deepcopy
from unstuck.schema.edits import CopyNetwork, Follow, MaskEnds
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.places import SourceLocation

SHARE = "0.01"  # of the way to the trained network that its copy goes at each step


def write_copy_network(edit: CopyNetwork, record: Record, index: Index) -> list[Patch]:
    """A deep copy of what a second name is assigned from."""
    found = index.at(edit.at, "what the second name is assigned from")
    copy, needs = deepcopy(index, found.source)
    return [Patch(edit, change.wrap(found.source, found.expression, f"{copy}(", ")"), Form.MODEL,
                  needs)]


def write_follow(edit: Follow, record: Record, index: Index) -> list[Patch]:
    """A loop over the weights of both, behind each step of the optimizer."""
    copy = index.at(edit.copy, "the call of the target network")
    online = index.at(edit.online, "the call of the trained network")
    held, trained = names.dotted(copy.call.func), names.dotted(online.call.func)
    if not held or not trained or copy.source is not online.source:
        raise Refused(Reason.UNKNOWN_FORM, "The two networks are not called by names.")
    optimizers = record.facts(Optimizer)
    if len(optimizers) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "There are several optimizers.")
    patches = []
    for step in steps(record, index, optimizers[0].name):
        for name in (held, trained):
            if not names.resolve(step.source, step.node, name.partition(".")[0]):
                raise Refused(Reason.NO_PLACE, f"{name} is not known at line "
                              f"{step.node.lineno:,}, where the optimizer steps.")
        torch, needs = spell(index, step.source, "torch.no_grad")
        code = (f"with {torch}():\n"
                f"    for old, new in zip({held}.parameters(), {trained}.parameters()):\n"
                f"        old.lerp_(new, {SHARE})")
        patches.append(Patch(edit, change.after(step.source, step.statement, code),
                             Form.STATEMENT, needs))
    return patches[:1]


def write_mask_ends(edit: MaskEnds, record: Record, index: Index) -> list[Patch]:
    """A factor on the discounted value: the product in the sum that makes the targets."""
    splices = _masked(edit, edit.at, index)
    if edit.also is not None:
        splices += _masked(edit, edit.also, index)
    return [Patch(edit, splices, Form.CALL)]


def _masked(edit: MaskEnds, at: SourceLocation | None, index: Index) -> tuple[Splice, ...]:
    found = index.at(at, "what makes the targets")
    source = found.source
    if not names.resolve(source, found.node, re.split(r"[.\[]", edit.ends)[0]):
        raise Refused(Reason.NO_PLACE, f"{edit.ends} is not known where the targets are made.")
    for node in ast.walk(found.node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            for side, other in ((node.right, node.left), (node.left, node.right)):
                if isinstance(side, ast.BinOp) and isinstance(side.op, ast.Mult):
                    # Its like is the reward beside it, too.
                    like = next((each for each in (side.right, other) if not any(
                        isinstance(part, ast.Call) for part in ast.walk(each))), side.right)
                    factor = edit.factor.replace("{}", change.operand(source, like))
                    return change.times(source, side.right, factor)
    raise Refused(Reason.UNKNOWN_FORM, "The targets are not written as a reward plus a product.")


WRITERS = {CopyNetwork: write_copy_network, Follow: write_follow, MaskEnds: write_mask_ends}
