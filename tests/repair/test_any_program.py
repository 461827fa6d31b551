"""No program makes a writer fail: each edit gives patches of valid Python, or says why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repair import facts
from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose
from unstuck.repair.index import Index
from unstuck.repair.text import Source
from unstuck.repair.write import write
from unstuck.schema import edits
from unstuck.schema.edits import Edit
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.losses import Backward, Loss
from unstuck.schema.facts.models import Activation, Model
from unstuck.schema.facts.optimizers import Optimizer, Scheduler
from unstuck.schema.facts.statistics import Statistics, Subject

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "corpus").glob("*/**/*.py"))
FEW = [file for file in PROGRAMS if file.parent.name == "healthy"][::18]


def edits_of(record: Record) -> Iterator[Edit]:
    """Edits of every kind that have a target in a record."""
    for optimizer in record.facts(Optimizer):
        yield from (edits.OptimizerArgument(optimizer.name, name, 0.5)
                    for name in ("lr", "momentum", "weight_decay"))
        yield edits.SwapOptimizer(optimizer.name, "Adam", 1e-3)
        yield edits.GroupRate(optimizer.name, 0, 0.01)
        yield edits.ZeroGrad(optimizer.name)
        yield edits.CallStep(optimizer.name)
        yield edits.StepEachBatch(optimizer.name)
        yield edits.ParametersToOptimizer(optimizer.name, (), "model.parameters()")
    yield from (edits.Clip(1.0), edits.Schedule("CosineAnnealingLR", 100), edits.MoreSteps(3.0),
                edits.BatchSize(7), edits.ResizeLayer(2.0), edits.Dropout(0.25),
                edits.NormaliseInputs(), edits.NormaliseTargets(), edits.ReplaceMissing(),
                edits.ClampInputs(-1.0, 1.0), edits.DropLast(None), edits.ShuffleFirst(),
                edits.SplitInOrder(None), edits.DropCopies(None), edits.SplitFirst(),
                edits.SplitOnce(), edits.PrepareAlike((), ()),
                edits.InitialiseLayer("", "kaiming_normal_"))
    for kind in ("ReLU", "Sigmoid", "Tanh"):
        yield edits.ReplaceLayer(kind, "LeakyReLU(0.01)")
        yield edits.RemoveLayer(kind)
    for scheduler in record.facts(Scheduler):
        yield edits.MoveSchedulerStep(scheduler.name, "epoch")
        yield edits.RemoveSchedule(scheduler.name)
        yield edits.ScheduleArgument(scheduler.name, "patience", "10")
    for model in record.facts(Model):
        for layer in model.layers:
            yield edits.InsertLayer(layer.name, "ReLU()")
            yield edits.InsertLayer(layer.name, "LayerNorm(8)")
            yield edits.RemoveLayer(layer.name)
            yield edits.InitialiseLayer(layer.name, "xavier_normal_")
            yield edits.DefaultInitialisation(layer.name)
            yield edits.BatchFirst(layer.name)
            yield edits.OneDirection(layer.name)
            yield edits.SkipConnections((layer.name,))
            yield edits.FewerLayers((layer.name,), (), 1, 2)
        yield edits.InsertLayer("input", "BatchNorm1d(8)")
        yield from (edits.SwitchMode(mode, model.call_location) for mode in ("train", "eval"))
        yield from (edits.KeepGraph(model.call_location), edits.UseResult(model.call_location),
                    edits.StepDown(model.call_location),
                    edits.KeepBuffer(model.call_location),
                    edits.StepEvery(2, model.call_location),
                    edits.KeepSamples(model.call_location),
                    edits.KeepNumber(model.call_location, True),
                    edits.KeepFractions(model.call_location))
    for loss in record.facts(Loss):
        yield edits.InvertLossMask(loss.location)
        yield edits.ReadLastStep(loss.location, 1)
        yield from (edits.LossArgument(loss.location, which, by, "")
                    for which in ("input", "target")
                    for by in ("{}.squeeze(-1)", "({} + 1) / 2", "F.sigmoid({})"))
        yield from (edits.SwapLoss(loss.location, "cross_entropy", ""), edits.LossOption(
            loss.location, "reduction", '"mean"', ""), edits.ClassWeights(
            loss.location, (1.0, 2.0)), edits.KeepNumber(loss.location, False))
    for backward in record.facts(Backward):
        yield from (edits.DivideLoss(4, backward.location), edits.FlipSign(backward.location),
                    edits.FetchEachStep(backward.location), edits.Unfreeze(backward.location),
                    edits.RemoveClip(backward.location))
    for loader in record.facts(Loader):
        yield edits.Shuffle(loader.location)
    for activation in record.facts(Activation):
        yield from (edits.RemoveLayer(activation.name, activation.location), edits.SoftmaxAxis(
            activation.location, -1), edits.Guard(activation.location, "{} + 1e-8", ""))
    yield edits.RegisterLayers("", "layers")


def check(file: Path) -> None:
    source = Source(str(file), file.read_text(encoding="utf-8"))
    scales = [Statistics(f"{subject}", subject, None, 10, (5, 3), "float32", None, (1.0,), (2.0,))
              for subject in Subject]
    record = facts.read([source], {"more": scales})
    index = Index([source])
    for edit in dict.fromkeys(edits_of(record)):
        found = write(edit, record, index)
        if isinstance(found, CannotWrite):
            assert found.words.endswith("."), found.words
            continue
        for patch in found:
            together = compose([patch], index)
            assert isinstance(together, Overlay)
            for name, text in together.texts.items():
                compile(text, name, "exec", dont_inherit=True)


@pytest.mark.parametrize("file", FEW, ids=lambda file: file.stem)
def test_each_edit_is_written_or_refused(file: Path) -> None:
    check(file)


@pytest.mark.slow
@pytest.mark.parametrize("file", [file for file in PROGRAMS if file not in FEW],
                         ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_each_edit_is_written_or_refused_in_every_program(file: Path) -> None:
    check(file)
