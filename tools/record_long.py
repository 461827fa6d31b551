"""Records healthy programs at several times their length, for curves whose continuation is known.

`python -m tools.record_long FOLDER` changes the literal number of epochs or steps in a copy of
each healthy program of the corpus, with the schedule that is built on it, and runs the copy under
watch.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import corpus

ROOT = Path(__file__).resolve().parent.parent
TIMES = 4
TIMEOUT = 90.0
LOOP = re.compile(
    r"for (?:epoch|step|it|i|t|e|episode|iteration|_) in range\((?:1, )?(\d{1,4})(?: \+ 1)?\):"
    r"|(?:epochs|steps|iters|num_epochs|n_epochs)(?:: int)? = (\d+)$"
    r"|, (?:epochs|batch|bs) = (?:\d+, )*(\d+)$|epochs=(\d+)\):"
    r"|'--epochs', type=int, default=(\d+)",
    re.MULTILINE)
RUN = """
import sys, warnings, importlib.util
warnings.simplefilter("ignore")
import torch, unstuck
torch.set_num_threads(1)
with unstuck.watch(out=sys.argv[2]):
    spec = importlib.util.spec_from_file_location("program", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    sys.modules["program"] = module
    sys.argv = sys.argv[:1]
    spec.loader.exec_module(module)
    module.main()
"""


def lengthened(source: str) -> str | None:
    """The program with its training loop made longer; None if its length is not recognised."""
    found = [next(filter(None, match.groups())) for match in LOOP.finditer(source)]
    if not found:
        return None
    number = found[-1]  # the training loop comes after the data's
    wanted = re.compile(
        rf"(range\((?:1, )?|epochs(?:: int)? ?= ?|steps(?:: int)? ?= ?|iters = |T_max=|default=|"
        rf"epochs = (?:\d+, )+){number}\b")
    changed = wanted.sub(lambda m: f"{m[1]}{int(number) * TIMES}", source)
    if int(number) > 100:  # single steps: range(1, 801)
        changed = changed.replace(f"range(1, {int(number) + 1})",
                                  f"range(1, {int(number) * TIMES + 1})")
    return changed if changed != source else None


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for program in (*corpus.HEALTHY, *corpus.LONG):
        changed = lengthened(program.read_text())
        record = folder / program.stem
        if changed is None or record.exists():
            continue
        copy = folder / f"{program.stem}.py"
        copy.write_text(changed)
        try:
            subprocess.run([sys.executable, "-c", RUN, str(copy), str(record)], check=False,
                           timeout=TIMEOUT, capture_output=True, cwd=folder)
        except subprocess.TimeoutExpired:
            print(f"{program.stem}: cut at {TIMEOUT:.0f} s")
        print(program.stem, record.exists(), flush=True)


if __name__ == "__main__":
    main()
