"""What edits say: code that Python reads, and an imperative phrase."""

from __future__ import annotations

import ast

import pytest

from unstuck.schema import edits

EDITS = [
    edits.OptimizerArgument("SGD-2", "lr", 3e-5),
    edits.ParametersToOptimizer("SGD", ("decoder.weight",), "decoder.parameters()"),
    edits.ReplaceLayer("2.1", "LeakyReLU(0.01)"),
    edits.InsertLayer("fc1", "LayerNorm(32)"),
    edits.RemoveLayer("2.1"),
    edits.InitialiseLayer("0.1", "kaiming_normal_"),
    edits.InitialiseLayer("stem.0", "kaiming_normal_"),
    edits.NormaliseInputs(),
    edits.NormaliseTargets(),
    edits.LossForm("F.mse_loss(outputs, targets)", "use the squared error"),
    edits.Clip(2000.0),
    edits.ZeroGrad("SGD"),
    edits.Schedule("linear warm-up", 1),
    edits.MoreSteps(1000.0),
    edits.BatchSize(1),
    edits.ResizeLayer(0.25),
    edits.ResizeLayer(4.0),
    edits.Dropout(0.25),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{type(edit).__name__} {edit.words()}")
def test_an_edit_is_said_and_written(edit: edits.Edit) -> None:
    ast.parse(edit.code())
    assert not edit.words().endswith(".")
    assert " 1 steps" not in edit.words()
    assert " 1 samples" not in edit.words()


@pytest.mark.parametrize(("value", "text"), [
    (0.001, "0.001"), (3e-5, "3e-05"), (256, "256"), (1000.0, "1000"), (1797.0, "1797"),
    (12345.6, "12300"), (1e12, "1e12"), (-0.5, "-0.5"), (float("inf"), "float('inf')"),
])
def test_a_number_in_code_can_be_copied(value: float, text: str) -> None:
    assert edits.literal(value) == text
    assert eval(text) == pytest.approx(value, rel=0.005)


def test_code_names_a_class_and_a_layer_as_a_program_does() -> None:
    assert edits.OptimizerArgument("SGD-2", "lr", 0.1).code() == "SGD(..., lr=0.1)"
    assert edits.InitialiseLayer("0.1", "zeros_").code().startswith("nn.init.zeros_(model[0][1].")
