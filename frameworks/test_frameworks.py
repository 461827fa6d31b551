"""A healthy and a faulty training with each framework: bare, under `unstuck run`, by its adapter.

`python -m frameworks.test_frameworks` writes the matrix of the documentation.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import processes

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "frameworks.md"


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework, the program that trains with it, and how the program says it is watched.

    `place` is the call that the finding of the faulty program must point at, or into.
    """

    name: str
    package: str
    program: str
    adapter: str
    place: str


FRAMEWORKS = (
    Framework("Lightning", "lightning", "lightning_fit",
              "Trainer(callbacks=[unstuck.adapters.lightning.Watch()])", "torch.optim.SGD("),
    Framework("Transformers", "transformers", "transformers_trainer",
              "Trainer(callbacks=[unstuck.adapters.transformers.Watch()])", "TrainingArguments("),
    Framework("TRL", "trl", "trl_sft",
              "SFTTrainer(callbacks=[unstuck.adapters.trl.Watch()])", "SFTConfig("),
    Framework("Keras 3 on torch", "keras", "keras_fit",
              "model.fit(callbacks=[unstuck.adapters.keras.Watch()])", "model.fit("),
    Framework("skorch", "skorch", "skorch_fit",
              "NeuralNetClassifier(callbacks=[unstuck.adapters.skorch.Watch()])",
              "NeuralNetClassifier("),
    Framework("PyTorch-Ignite", "pytorch-ignite", "ignite_run",
              "unstuck.adapters.ignite.Watch().attach(trainer)", "torch.optim.SGD("),
    Framework("Accelerate", "accelerate", "accelerate_loop",
              "with unstuck.adapters.accelerate.Watch():", "torch.optim.SGD("),
)
HEAD = """\
# Frameworks

`unstuck run train.py` watches a training with any of these without an edit. Where you cannot start
the program that way, in a job of somebody else's for instance, one line tells `unstuck` where the
fit begins and ends. The report then comes on standard error when the fit is over, once, from rank
0.

`make test-frameworks` runs a healthy and a faulty training with each: bare, under `unstuck run`,
and by its adapter. The output, the exit status and the weights must be those of the bare run. The
healthy one must get no finding. The faulty one must be named first, in the user's own file.

| framework | the line | a learning rate that is too high is named at |
|---|---|---|"""
TAIL = """
fastai has an adapter as well, `Learner(cbs=[unstuck.adapters.fastai.Watch()])`. It is not in the
suite.
"""
FAULT = "learning-rate-too-high"


def start(framework: Framework, *words: str, watched: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Runs a program; returns its status, its standard output and its standard error."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", COLUMNS="200",
                       PYTHONWARNINGS="ignore", TOKENIZERS_PARALLELISM="false")
    done = processes.run(
        [sys.executable, *watched, f"{framework.program}.py", *words], cwd=HERE / "programs",
        env=environment, capture_output=True, text=True)
    return done.returncode, _numbers(done.stdout), done.stderr


def _numbers(output: str) -> str:
    """What a program printed, without its trainer's own timings."""
    return "\n".join(line for line in output.splitlines() if "runtime" not in line)


@pytest.fixture(params=FRAMEWORKS, ids=lambda framework: framework.program)
def framework(request: pytest.FixtureRequest) -> Framework:
    found: Framework = request.param
    return found


@pytest.mark.parametrize("twin", ["healthy", "faulty"])
def test_a_training_with_a_framework(framework: Framework, twin: str, tmp_path: Path) -> None:
    check(framework, twin, tmp_path)


def check(framework: Framework, twin: str, tmp_path: Path) -> None:
    """Runs a program in the three ways, and looks at what each said."""
    bare = start(framework, twin)
    file = tmp_path / "diagnosis.json"
    watched = start(framework, twin, watched=(
        "-m", "unstuck", "run", "--overhead", "1", "--out", str(tmp_path / "record"), "--json",
        str(file)))
    assert watched[:2] == bare[:2], watched[2]
    found = json.loads(file.read_text(encoding="utf-8"))
    counted = [each for each in found["findings"] if each["severity"] != "note"]
    adapted = start(framework, twin, "adapter")
    assert adapted[:2] == bare[:2], adapted[2]
    assert "Traceback" not in adapted[2]
    if twin == "healthy":
        assert not counted
        assert "no problem was found" in adapted[2]
        return
    assert counted[0]["cause"] == FAULT
    place = counted[0]["location"]
    lines = (HERE / "programs" / f"{framework.program}.py").read_text().splitlines(keepends=True)
    line, column = lines[place["line"] - 1], place["column"] - 1
    if not line[column:].startswith(framework.place):
        before = "".join(lines[:place["line"] - 1]) + line[:column]
        _, call, given = before.rpartition(framework.place)
        assert call
        assert given.count(")") <= given.count("(")  # the call has not ended
    assert adapted[2].count("record saved to") == 0
    assert adapted[2].count(f"error[{FAULT}]") == 1


def page() -> str:
    """The page of the documentation: what each framework's trainings get."""
    rows = [
        f"| {each.name} {importlib.metadata.version(each.package)} | `{each.adapter}` | "
        f"`{each.place}…)` |" for each in FRAMEWORKS]
    return "\n".join([HEAD, *rows, TAIL])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
