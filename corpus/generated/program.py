"""A training program as data, and its source text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from corpus.generated import models
from corpus.generated.data import Data


class Clash(Exception):
    """Two faults would change the same thing."""


@dataclass(frozen=True, slots=True)
class Program:
    """Everything that decides the text of a training program.

    `slots` are lines that take the place of the usual ones, by the name of the place; `changed`
    names the fields that a fault has changed, so that a second one cannot undo the first.
    """

    base: str
    data: Data
    loop: str  # "loader", "rows" or "functions": the style in which the loop is written
    width: int
    depth: int
    activation: str
    norm: bool
    dropout: float
    optimizer: str
    rate: float
    momentum: float
    weight_decay: float
    batch: int
    steps: int  # about so many optimizer steps
    seed: int
    reads: str
    rows: int = 0  # training samples that are kept, 0 for all
    gain: float = 1.0  # a factor in front of every activation
    last: str = ""  # an activation after the last layer
    outputs: int = 0
    micro: int = 1  # batches whose gradients are added up for one step
    clip: float = 0.0
    schedule: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()

    def change(self, **values: Any) -> Program:
        """A copy with a fault's values in place of the present ones.

        Raises:
            Clash: a fault has changed one of them already.
        """
        self._claim(values)
        return replace(self, changed=self.changed | set(values), **values)

    def put(self, **lines: str) -> Program:
        """A copy with other lines at named places.

        Raises:
            Clash: there are other lines already at one of them.
        """
        self._claim(lines)
        return replace(self, changed=self.changed | set(lines), slots={**self.slots, **lines})

    def _claim(self, names: Mapping[str, Any]) -> None:
        twice = self.changed & set(names)
        if twice:
            raise Clash(f"{', '.join(sorted(twice))} changed twice")

    def text(self) -> str:
        """The source of the program."""
        slots = {**_data(self), **models.slots(self), **_training(self), **self.slots}
        return fill(LOOPS[self.loop], slots)


def fill(template: str, slots: Mapping[str, str]) -> str:
    """The template with its places filled, each line of a slot indented as the place is.

    `<<name>>` alone on a line takes any number of lines, none included; within a line it takes one
    expression.
    """
    lines: list[str] = []
    for line in template.splitlines():
        alone = re.fullmatch(r"( *)<<(\w+)>>", line)
        if alone is None:
            while "<<" in line:
                line = re.sub(r"<<(\w+)>>", lambda found: slots[found[1]], line)
            lines.append(line)
            continue
        inner = slots[alone[2]]
        if inner:
            if "<<" in inner:
                inner = fill(inner, slots)
            lines += [alone[1] + each if each else "" for each in inner.splitlines()]
    return "\n".join(lines) + "\n"


# Data --------------------------------------------------------------------------------------------
def _data(program: Program) -> dict[str, str]:
    data = program.data
    arrange = "X = X.transpose(0, 3, 1, 2)"
    load = data.text.replace("{seed}", str(program.seed)).replace("{arrange}", "<<arrange>>")
    value = program.reads == "value"
    copies = program.base == "autoencoder"
    kind = "torch.long" if data.tokens else "torch.float32"
    target = "torch.long" if program.reads == "argmax" else "torch.float32"
    bounded = copies and data.name == "digits"
    keep = f"x_train, y_train = x_train[:{program.rows}], y_train[:{program.rows}]"
    # Pixels share one scale: some are the same in nearly all images.
    axis = "" if data.name.startswith("digit") or program.base == "cnn" else "0"
    scale = (f"mean, std = x_train.mean({axis}), x_train.std({axis}) + 1e-6\n"
             "x_train = (x_train - mean) / std\n"
             "<<scale_held_out>>")
    return {
        "imports": data.imports,
        "seed": str(program.seed),
        "load": load,
        "arrange": arrange,
        "pipeline": "",  # what happens to all data
        "units": "",
        "spoil": keep if program.rows else "",  # what happens to the training data alone
        "share": "",
        "scale": "" if data.tokens or bounded else scale,
        "scale_held_out": "x_val, x_test = (x_val - mean) / std, (x_test - mean) / std",
        "scale_targets": "" if not value or copies else (
            "center, spread = y_train.mean(), y_train.std()\n"
            "y_train, y_val, y_test = [(part - center) / spread "
            "for part in (y_train, y_val, y_test)]"),
        "copies": "y_train, y_val, y_test = x_train, x_val, x_test" if copies else "",
        "arrangement": "",
        "kind": kind,
        "target_kind": target,
    }


# Training ----------------------------------------------------------------------------------------
def _training(program: Program) -> dict[str, str]:
    loss = {"argmax": "F.cross_entropy(out, yb)",
            "sign": "F.binary_cross_entropy_with_logits(out, yb)",
            "value": "F.mse_loss(out, yb)"}[program.data.reads]
    single = program.base != "autoencoder" and program.data.reads in ("value", "sign")
    every = f"if step % {program.micro} == 0:\n    "
    micro = program.micro > 1
    clip = f"torch.nn.utils.clip_grad_norm_(model.parameters(), {program.clip:g})"
    return {
        "optimizer": f"opt = {_optimizer(program)}",
        "parameters": "model.parameters()",
        "schedule": program.schedule,
        "epochs": str(epochs(program)),
        "batch": str(program.batch),
        "shuffle": "True",
        "order": "torch.randperm(len(x_train))",
        "dataset": "TensorDataset(x_train, y_train)",
        "noise": "torch.randn(x_train[0].shape)",
        "loader_options": "",
        "before": "",
        "train": "model.train()",
        "begin_epoch": "",
        "take": "",
        "fetch": "xb, yb = x_train[rows], y_train[rows]",
        "batches": "train_loader",
        "squeeze": ".squeeze(1)" if single else "",
        "output": "out = model(xb)<<squeeze>>",
        "loss": "loss = " + loss,
        "loss_of_validation": loss.replace("(out, yb)", "(val_out, y_val)"),
        "zero": "" if micro else "opt.zero_grad()",
        "divide": f"loss = loss / {program.micro}" if micro else "",
        "backward": "loss.backward()",
        "between": "",
        "clip": clip if program.clip else "",
        "step": f"{every}opt.step()\n    opt.zero_grad()" if micro else "opt.step()",
        "batch_schedule": "",
        "epoch_schedule": "scheduler.step()" if program.schedule else "",
        "begin_track": "total = 0.0",
        "track": "total += loss.item() * len(xb)",
        "tell": "total / len(x_train)",
        "eval": "model.eval()",
        "score": {"argmax": "(val_out.argmax(1) == y_val).float().mean()",
                  "sign": "((val_out > 0) == (y_val > 0.5)).float().mean()",
                  "value": "1 - ((val_out - y_val) ** 2).mean() / y_val.var()"}[program.data.reads],
    }


def epochs(program: Program) -> int:
    """How many epochs it takes to make about so many steps; three fifths of the data train."""
    rows = program.rows or round(0.6 * program.data.size)
    return max(1, round(program.steps * program.micro / max(1, rows / program.batch)))


def _optimizer(program: Program) -> str:
    options = f"lr={program.rate:.3g}"
    if program.optimizer == "SGD" and program.momentum:
        options += f", momentum={program.momentum:g}"
    if program.weight_decay:
        options += f", weight_decay={program.weight_decay:g}"
    return f"torch.optim.{program.optimizer}(<<parameters>>, {options})"


# Loops -------------------------------------------------------------------------------------------
_HEAD = '''\
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
<<imports>>
<<more_imports>>

torch.manual_seed(<<seed>>)
rng = np.random.default_rng(<<seed>>)

<<load>>
<<units>>
<<pipeline>>
order = rng.permutation(len(X))
X, y = X[order], y[order]
fifth = len(X) // 5
x_test, y_test = X[:fifth], y[:fifth]
x_val, y_val = X[fifth:2 * fifth], y[fifth:2 * fifth]
x_train, y_train = X[2 * fifth:], y[2 * fifth:]
<<spoil>>
<<share>>
<<scale>>
<<scale_targets>>
<<copies>>
<<arrangement>>
x_train, x_val, x_test = [
    torch.as_tensor(part, dtype=<<kind>>) for part in (x_train, x_val, x_test)]
y_train, y_val, y_test = [
    torch.as_tensor(part, dtype=<<target_kind>>) for part in (y_train, y_val, y_test)]

<<network>>
<<initialise>>

'''
_STEP = '''\
<<take>>
<<zero>>
<<output>>
<<loss>>
<<divide>>
<<backward>>
<<between>>
<<clip>>
<<step>>
<<batch_schedule>>
<<track>>'''


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())


LOOPS: Mapping[str, str] = {
    "loader": _HEAD.replace(
        "<<more_imports>>", "from torch.utils.data import DataLoader, TensorDataset") + f'''\
train_loader = DataLoader(
    <<dataset>>, batch_size=<<batch>>, shuffle=<<shuffle>><<loader_options>>)
<<optimizer>>
<<schedule>>
<<before>>
for epoch in range(<<epochs>>):
    <<train>>
    <<begin_epoch>>
    <<begin_track>>
    for step, (xb, yb) in enumerate(<<batches>>, 1):
{_indented(_STEP, 8)}
    <<epoch_schedule>>
    <<eval>>
    with torch.no_grad():
        val_out = model(x_val)<<squeeze>>
        val_loss = <<loss_of_validation>>
    print(f"epoch {{epoch}} train {{<<tell>>:.4f}} val {{val_loss:.4f}} {{<<score>>:.3f}}")
''',
    "rows": _HEAD.replace("<<more_imports>>", "") + f'''\
<<optimizer>>
<<schedule>>
<<before>>
for epoch in range(1, <<epochs>> + 1):
    <<train>>
    <<begin_epoch>>
    <<begin_track>>
    for step, rows in enumerate(<<order>>.split(<<batch>>), 1):
        <<fetch>>
{_indented(_STEP, 8)}
    <<epoch_schedule>>
    if epoch % 2 == 0:
        <<eval>>
        with torch.no_grad():
            val_out = model(x_val)<<squeeze>>
            val_loss = <<loss_of_validation>>
        print(epoch, f"{{<<tell>>:.4f}} {{val_loss:.4f}} {{<<score>>:.3f}}")
''',
    "functions": _HEAD.replace(
        "<<more_imports>>", "from torch.utils.data import DataLoader, TensorDataset") + f'''\

def train_epoch(model, loader, opt):
    <<train>>
    <<begin_track>>
    for step, (xb, yb) in enumerate(loader, 1):
{_indented(_STEP, 8)}
    return <<tell>>


def evaluate(model):
    <<eval>>
    with torch.no_grad():
        val_out = model(x_val)<<squeeze>>
        return <<loss_of_validation>>, <<score>>


train_loader = DataLoader(
    <<dataset>>, batch_size=<<batch>>, shuffle=<<shuffle>><<loader_options>>)
<<optimizer>>
<<schedule>>
<<before>>
for epoch in range(<<epochs>>):
    <<begin_epoch>>
    train_loss = train_epoch(model, <<batches>>, opt)
    <<epoch_schedule>>
    val_loss, score = evaluate(model)
    print(f"{{epoch:3d}}  {{train_loss:.4f}}  {{val_loss:.4f}}  {{score:.3f}}")
''',
}
