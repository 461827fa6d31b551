"""A cause that measures something new takes four files, and no list names any of them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests import processes

ROOT = Path(__file__).parent.parent
# What a contributor writes, by the file that it goes into.
WRITTEN = {
    "src/unstuck/schema/signals/zeros.py": '''\
"""Signals of zeros."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import StepSignal

ZERO_INPUT_SHARE = StepSignal(
    "zero-input-share", "", "share of the model's input that is zero",
    requires=runs.MODEL,
)
''',
    "src/unstuck/observe/probes/zero_inputs.py": '''\
"""How much of what the model is trained with is zero."""

from __future__ import annotations

from typing import Any

from torch import nn

from unstuck.observe.probe import Probe
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.signals.zeros import ZERO_INPUT_SHARE


class ZeroInputProbe(Probe):
    """Looks at the first tensor of a call."""

    signals = (ZERO_INPUT_SHARE,)

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Counts the zeros."""
        if args and is_plain(args[0]) and observable(args[0]):
            share = float((args[0] == 0).float().mean())
            self._writer.row(ZERO_INPUT_SHARE, self._moment.step, share)
''',
    "src/unstuck/causes/data/zero_inputs.py": '''\
"""Zero inputs: the network is trained on nothing."""

from __future__ import annotations

from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.schema.findings import Absent, Evidence, Present, Verdict
from unstuck.schema.signals.zeros import ZERO_INPUT_SHARE
from unstuck.words import percent

MOST = Threshold("zero-inputs-share", 0.99, "a picture has some ink", "by definition")


def _detect(view: View) -> Verdict:
    shares = view[ZERO_INPUT_SHARE]
    if not min(shares.values) > view.limit(MOST):
        return Absent("the inputs hold numbers other than zero")
    evidence = Evidence(ZERO_INPUT_SHARE.name, "input", tuple(shares.steps), tuple(shares.values),
                        view.limit(MOST), f"{percent(shares.values[0])} of the input is zero")
    return Present(0.95, "the inputs are zero", 0, None, "these are zero", (evidence,), ())


CAUSE = Cause(
    slug="zero-inputs", code="D999", title="Zero inputs", family="Data", harm=Harm.MISTAKE,
    words=Words("The loss stays.", "Nothing is learned.", "Zero times a weight is zero.",
                "It counts zeros.", "None are known.", ("By definition.",)),
    needs=(ZERO_INPUT_SHARE,), thresholds=(MOST,), detect=_detect,
)
''',
    "corpus/faulty/zero-inputs/pair.py": '''\
"""The pictures are divided by 255 twice, in whole numbers."""

import torch
from torch import nn

FAULTS = {"zero-inputs": "model(x)"}


def fit(scale):
    torch.manual_seed(0)
    x, y = torch.rand(64, 5) * scale, torch.arange(64) % 2
    model = nn.Linear(5, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def sick():
    return fit(0.0)


def well():
    return fit(1.0)
''',
}
# Runs both programs of the pair under watch and prints what is said of the cause.
PROGRAM = """
import corpus, unstuck
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

for program in corpus.programs(long=True):
    spec = spec_from_file_location("pair", program.file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    record = Path(program.function)
    with unstuck.watch(record, overhead=1.0):
        getattr(module, program.function)()
    diagnosis = unstuck.diagnose(record)
    verdict = dict(diagnosis.verdicts)["zero-inputs"]
    found = "zero-inputs" in [finding.cause for finding in diagnosis.findings]
    print(program, type(verdict).__name__, "found" if found else "not found")
"""


def test_a_cause_that_measures_something_new_takes_four_files(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "corpus").mkdir()
    shutil.copy(ROOT / "corpus" / "__init__.py", tmp_path / "corpus")
    assert len(WRITTEN) == 4
    for name, text in WRITTEN.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    done = processes.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'src'}{os.pathsep}{tmp_path}"})
    assert done.stdout.splitlines() == [
        "zero-inputs/pair-sick Present found", "zero-inputs/pair-well Absent not found"]
