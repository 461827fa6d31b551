"""Programs that a launcher starts several times: which process this is, and of which launch.

torchrun, accelerate, srun and mpirun name a process by variables of the environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path

MARKER = "launch.json"
_LONGEST = 4096  # bytes of a marker that are read
_PATIENCE = 50  # tries, a tenth of a second apart, to read a marker that is just being written

# Names of the rank and of the number of processes. Inside a batch script of Slurm the first ones
# are set, too, but only a step of several tasks has the second.
_RANKS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
          ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"))


@dataclass(frozen=True, slots=True)
class Launch:
    """What distinguishes one launch from another; what a launcher does not say is empty.

    `run` is an id that somebody chose, `agent` the launcher's process on `host`, `master` where
    the processes meet: a restarted attempt may meet elsewhere.
    """

    run: str = ""
    host: str = ""
    agent: str = ""
    master: str = ""

    def same(self, other: Launch) -> bool:
        """Whether both are most likely one launch."""
        if self.run and other.run:
            return self.run == other.run
        if self.host == other.host and self.agent and other.agent:
            return self.agent == other.agent
        return bool(self.master) and self.master == other.master


def rank() -> int | None:
    """This process's number among those of its launch; None if no launcher started it."""
    for name, size in _RANKS:
        with contextlib.suppress(KeyError, ValueError):
            number, processes = int(os.environ[name]), int(os.environ[size])
            if 0 <= number < processes and (name == "RANK" or processes > 1):
                return number
    return None


def current() -> Launch:
    """The launch that this process belongs to."""
    say = os.environ.get
    run = say("TORCHELASTIC_RUN_ID", "")
    if run in ("", "none"):  # what torchrun says where nobody chose one
        job = (say("SLURM_JOB_ID", ""), say("SLURM_STEP_ID", ""))
        run = ".".join(job) if all(job) else say("PMIX_NAMESPACE", "")
    # A folder of torchrun's own, made anew for each launch and kept for restarted attempts.
    agent = say("TORCHELASTIC_ERROR_FILE", "").partition(f"{os.sep}attempt_")[0]
    master = f"{say('MASTER_ADDR', '')}:{say('MASTER_PORT', '')}".strip(":")
    return Launch(*(word[:200] for word in (run, platform.node(), agent, master)))


def joins(folder: Path) -> bool:
    """Whether `folder` belongs to our launch; an empty one is marked, and does from then on.

    Raises:
        OSError: it cannot be looked at, or not marked.
    """
    ours = current()
    if not os.listdir(folder):
        with contextlib.suppress(FileExistsError):
            _mark(folder / MARKER, ours)
            return True
    theirs = _read(folder / MARKER)
    # Where the processes of a restarted attempt meet is new, so other hosts cannot compare it.
    restarted = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    return theirs is not None and (restarted or ours.same(theirs))


def _mark(file: Path, launch: Launch) -> None:
    text = json.dumps({"type": "launch", **asdict(launch)}) + "\n"
    with file.open("x", encoding="utf-8") as opened:  # fails on a link, wherever that leads
        opened.write(text)


def _read(file: Path) -> Launch | None:
    """The launch that a marker speaks of; None if it is not a marker of ours."""
    for _ in range(_PATIENCE):
        try:
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(file, flags)
        except OSError:
            return None
        with open(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            text = opened.read(_LONGEST)
        if text.endswith(b"\n"):
            break
        if len(text) == _LONGEST:
            return None
        time.sleep(0.1)  # another rank has made it a moment ago
    try:
        found = json.loads(text)
        if found.pop("type") != "launch":
            return None
        return Launch(**{name: str(word) for name, word in found.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
