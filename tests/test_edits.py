"""What edits say: code that Python reads, and an imperative phrase."""

from __future__ import annotations

import ast

import pytest

from unstuck.repair.write import writers
from unstuck.schema import edits
from unstuck.schema.facts.sequences import Ones, Padding, Reading
from unstuck.schema.signals.parameters import BY_HAND

EDITS = [
    edits.OptimizerArgument("SGD-2", "lr", 3e-5),
    edits.GroupRate("AdamW", 1, 0.003),
    edits.ParametersToOptimizer("SGD", ("decoder.weight",), "decoder.parameters()"),
    edits.ParametersToOptimizer("SGD", ("head.weight",), "head.parameters()", unit="head"),
    edits.ReplaceLayer("2.1", "LeakyReLU(0.01)"),
    edits.InsertLayer("fc1", "LayerNorm(32)"),
    edits.Together((edits.InsertLayer("fc1", "ReLU()"),), "insert a ReLU after each hidden layer"),
    edits.RemoveLayer("2.1"),
    edits.FewerLayers(("2", "4"), ("3", "5"), 3, 5),
    edits.KeepFractions(None),
    edits.InvertChoice(None),
    edits.SplitFirst(),
    edits.SplitOnce(),
    edits.InitialiseLayer("0.1", "kaiming_normal_"),
    edits.InitialiseLayer("stem.0", "kaiming_normal_"),
    edits.NormaliseInputs(),
    edits.NormaliseTargets(),
    edits.LossForm("F.mse_loss(outputs, targets)", "use the squared error"),
    edits.Clip(2000.0),
    edits.ZeroGrad("SGD"),
    edits.ZeroGrad(BY_HAND),
    edits.TransformTogether(None),
    edits.SortClasses(),
    edits.ShuffleFirst(),
    edits.SplitInOrder(None),
    edits.DropCopies(None),
    edits.DropCopies(None, split=True),
    edits.PrepareAlike((), (), "x_val"),
    edits.FillWithMedian(),
    edits.OneLoader(),
    edits.ZeroGrad("SGD", early=True),
    edits.WidenWeights("bfloat16"),
    edits.Schedule("linear warm-up", 1),
    edits.MoreSteps(1000.0),
    edits.BatchSize(1),
    edits.ResizeLayer(0.25),
    edits.ResizeLayer(4.0),
    edits.ResizeLayer(4.0, "encoder.2"),
    edits.Dropout(0.25),
    edits.RemoveClip(None),
    edits.SwapOptimizer("SGD", "Adam", 1e-3),
    edits.MoveSchedulerStep("StepLR", "epoch"),
    edits.SoftmaxAxis(None, 1),
    edits.LayerArgument("encoder.2", "stride", "(2, 1)"),
    *(edits.ReadRealSteps(None, how, Padding("input", 0.0, False)) for how in Reading),
    edits.InvertMask(None),
    edits.BooleanMask(None, Ones.ABOVE),
    edits.AttendBackwards(None, "src_mask", 16),
    edits.AttendBackwards(None, "is_causal", 16),
    edits.BatchFirst("rnn"),
    edits.KeepResult((), "relu"),
    edits.CallIt(None, "zero_grad"),
    edits.RegisterLayers("Net", "layers"),
    edits.BuildEach(None),
    edits.CopyNetwork(None),
    edits.Follow(None, None),
    edits.MaskEnds(None, "done", "(1 - done)"),
    edits.BuildOnce(None),
    edits.CopyState(None),
    edits.LoadKeys(None, "module.", "body."),
    edits.LoadKeys(None, item="model"),
    edits.RegisterLayers("Net", "heads", "ModuleDict"),
    edits.DefaultInitialisation("0"),
    edits.LossArgument(None, "input", "{}.squeeze(-1)", "remove the last axis"),
    edits.SwapLoss(None, "cross_entropy", "use cross-entropy"),
    edits.LossOption(None, "reduction", '"mean"', "take the mean over the batch"),
    edits.ClassWeights(None, (0.5, 10.0)),
    edits.FlipSign(None),
    edits.ShiftInputs(None),
    edits.SwapPairs(None, "same", None),
    edits.DivideLoss(4, None),
    edits.WeighTerm(None, 0.001),
    edits.Guard(None, "{}.clamp_min(1e-8)", "keep the argument of log above zero"),
    edits.Shuffle(None),
    edits.DropLast(None),
    edits.Impute(-999.0, (0.5,)),
    edits.CopySample(None, "clone"),
    edits.WeightPerSample(None, 2),
    edits.WholeLength(None),
    edits.SeedByWorker(None),
    edits.FlipTerm(None),
    edits.DrawFromAll(None, "x_train"),
    edits.SeedCopies(None, "rng"),
    edits.KeepRate(None),
    edits.SeedOnce(None),
    edits.ReplaceMissing(),
    edits.AlsoAtEnd(None),
    edits.WriteInto(None),
    edits.CallStep("SGD"),
    edits.StepEachBatch("SGD"),
    edits.SwitchMode("train", None),
    edits.SwitchMode("eval", None),
    edits.FollowMode(()),
    edits.KeepGraph(None),
    edits.UseResult(None),
    edits.ReadLastStep(None, 1),
    edits.InvertLossMask(None),
    edits.KeepBuffer(None),
    edits.SkipConnections(("hidden.0",)),
    edits.OneDirection("rnn"),
    edits.OrderTogether((), ()),
    edits.StepEvery(4, None),
    edits.CapSchedule("scheduler"),
    edits.KeepSamples(None),
    edits.StepDown(None),
    edits.CreateGraph(None),
    edits.KeepNumber(None, False),
    edits.KeepNumber(None, True),
    edits.Unfreeze(None),
    edits.KeepList(None),
    edits.MoreSamples(None, 640),
    edits.PassThrough(None),
    edits.ShiftTargets(None, None, 1),
    edits.ShiftTargets(None, None, 0),
    edits.LeaveOutPadding(None, 0.0),
    edits.CallRequiresGrad(None),
    edits.ClampInputs(-3.0, 1e4),
    edits.FetchEachStep(None),
    edits.WholeSlices(),
    edits.DivideSchedule("LambdaLR", 0.003),
    edits.ScheduleArgument("ReduceLROnPlateau", "mode", '"max"'),
    edits.RemoveSchedule("StepLR"),
    edits.SwapAxes(None),
    edits.SwapAxes(None, (1, 2, 0, 3)),
    edits.RemoveFactors(),
    *(edits.CountRight(None, how) for how in (
        "column", "rounded", "twice", "pairs", "axis", "batches", "shares")),
    edits.DetachState(None),
    edits.DetachState(None, "self.state", several=True),
    edits.ComputeEachStep(None, None),
    edits.DifferentiateOnce(None),
    edits.IgnorePaddedSteps(None, None, 0, 0.0),
    edits.MoveChannels((3, 16, 16)),
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


def test_each_kind_is_here_and_has_a_writer() -> None:
    kinds = {kind for kind in vars(edits).values() if isinstance(kind, type)
             and issubclass(kind, edits.Edit) and kind is not edits.Edit}
    assert {type(edit) for edit in EDITS} == kinds
    assert set(writers()) == kinds


@pytest.mark.parametrize(("value", "step", "text"), [
    (120.51349, 64.2, "120.51"), (-0.25, 1.0, "-0.25"), (5e6, 0.5, "5000000.0"),
    (1e-5, 3e-6, "1e-05"), (4.0, 4.0, "4.0"),
])
def test_a_measured_number_is_as_exact_as_it_matters(
    value: float, step: float, text: str
) -> None:
    assert edits.measured(value, step) == text


def test_code_names_a_class_and_a_layer_as_a_program_does() -> None:
    assert edits.OptimizerArgument("SGD-2", "lr", 0.1).code() == "SGD(..., lr=0.1)"
    assert edits.InitialiseLayer("0.1", "zeros_").code().startswith("nn.init.zeros_(model[0][1].")


def test_a_hand_written_update_has_no_optimizer_to_speak_of() -> None:
    edit = edits.ZeroGrad(BY_HAND)
    assert edit.words() == "clear the gradients before each backward pass"
    assert edit.code().startswith("model.zero_grad()")
