"""What names on a line say of the data that a model is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from unstuck.observe.source.intent import validates
from unstuck.schema.places import SourceLocation

LOOP = """\
def evaluate(model, {name}):
    for inputs, labels in {name}:
        print(model(inputs).argmax(1) == labels)
"""


def asked(text: str, call: str, tmp_path: Path) -> bool:
    file = tmp_path / "program.py"
    file.write_text(text)
    for number, line in enumerate(text.splitlines(), 1):
        if call in line:
            column = line.index(call) + 1
            return validates(SourceLocation(
                str(file), number, column, number, column + len(call), line))
    raise AssertionError(call)


@pytest.mark.parametrize(("argument", "held_out"), [
    ("x_val", True), ("xTest", True), ("data.dev_inputs", True), ("X_holdout.to(device)", True),
    ("x_train", False), ("x", False), ("x_train_val", False), ("latest", False), ("values", False),
    ("x, valid_mask", False), ("x, valid_mask, val_x", True),
])
def test_the_arguments_of_a_call(argument: str, held_out: bool, tmp_path: Path) -> None:
    call = f"model({argument})"
    assert asked(f"out = {call}\n", call, tmp_path) is held_out


@pytest.mark.parametrize(("name", "held_out"), [
    ("val_loader", True), ("test_dl", True), ("loader", False), ("train_loader", False),
])
def test_the_loop_that_they_come_from(name: str, held_out: bool, tmp_path: Path) -> None:
    assert asked(LOOP.format(name=name), "model(inputs)", tmp_path) is held_out


def test_a_file_that_is_gone_says_nothing(tmp_path: Path) -> None:
    gone = SourceLocation(str(tmp_path / "gone.py"), 1, 1, 1, 5, None)
    assert validates(gone) is validates(None) is False
