"""What a fork of the server does to be the program: streams, limits, settings, seeds."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
from typing import Any

# Trackers and displays are off: a trial reports to nobody.
QUIET = {
    "MPLBACKEND": "Agg", "WANDB_MODE": "disabled", "WANDB_SILENT": "true",
    "COMET_MODE": "DISABLED", "NEPTUNE_MODE": "debug", "MLFLOW_TRACKING_URI": "file:mlruns",
    "CLEARML_OFFLINE_MODE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TQDM_DISABLE": "1",
    "SDL_VIDEODRIVER": "dummy", "DISPLAY": "", "PYTHONDONTWRITEBYTECODE": "1",
}
ANSWERS = "answers"  # the file, in the scratch folder, in which questions are answered
CANCEL = "cancel"  # the pipe, in the scratch folder, through which a trial is cancelled
_PROCESSES = 1_000
_FILE = 8 << 30  # bytes of the largest file
_EMPTY_ANSWERS = 1_000  # lines, where it is not known what a program was told
_LINE_BUFFER = 4_000  # bytes that a terminal keeps until they are read
_SEEDED = 20_260_101  # what an unseeded program begins with, so that all arms begin alike


def move_to(request: dict[str, Any], copy: str) -> None:
    """Has the program run in a copy of its folder."""
    folder = request["folder"]

    def moved(path: str) -> str:
        real = os.path.realpath(path)
        return os.path.join(copy, os.path.relpath(real, folder)) if (
            real == folder or real.startswith(folder + os.sep)) else path

    target = request["target"]
    if target[0] != "-m":
        target[0] = moved(os.path.join(request["working_folder"], target[0]))
    request["working_folder"] = moved(request["working_folder"])
    scratch = request["scratch"]
    request["environment"] |= {"HOME": os.path.join(scratch, "home"),
                               "TMPDIR": os.path.join(scratch, "tmp")}


def become(request: dict[str, Any], in_view: bool, terminal: int | None = None) -> list[str]:
    """Makes this process that of a program; the module to start, with its arguments.

    `terminal` is the descriptor of one that the program is to have.
    """
    os.setsid()
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _streams(request["scratch"], request["answers"], terminal)
    _limits(request["memory"])
    os.environ.update(request["environment"])
    os.chdir(request["working_folder"])
    if not in_view:
        _refuse_writes(request["scratch"])
    _seeds(request["shift"])
    sys.dont_write_bytecode = True
    if not sys.flags.safe_path:
        sys.path.insert(0, "")  # in the place of the folder that `observe.program` takes away
    config = {
        "record": request["record"], "folder": os.path.join(request["scratch"], "record"),
        "max_steps": request["max_steps"], "overhead": 1.0, "program_text": True,
        "answers": os.path.join(request["scratch"], ANSWERS), "budget": request["budget"],
        "restore": request["state"],
    }
    start = "unstuck.asking.child" if request["ask"] else "unstuck.observe.program"
    arguments = [start, " " + json.dumps(config), *request["target"]]
    sys.orig_argv = [sys.executable, __file__, *arguments[1:]]
    return arguments


def open_terminal() -> tuple[int, int]:
    """A terminal of its own: our end, and that of the program. It neither echoes nor adds to lines.

    Raises:
        OSError: the system has none left.
    """
    import termios  # which Windows has not

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    return ours, theirs


def copy_terminal(scratch: str, answers: list[str] | None, ours: int) -> None:
    """Types the answers, and writes down what is shown until nobody can show anything more."""
    typed = _typed(answers).encode()[:_LINE_BUFFER]
    os.write(ours, typed)
    with open(os.path.join(scratch, "output"), "wb", buffering=0) as file, (
            contextlib.suppress(OSError)):  # that is how it ends
        while shown := os.read(ours, 1 << 16):
            file.write(shown)


def _typed(answers: list[str] | None) -> str:
    return "".join(f"{line}\n" for line in ([""] * _EMPTY_ANSWERS if answers is None else answers))


def _streams(scratch: str, answers: list[str] | None, terminal: int | None) -> None:
    if terminal is not None:
        import fcntl
        import termios

        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(terminal, descriptor)
        os.close(terminal)
    else:
        given = os.path.join(scratch, "input")
        with open(given, "w", encoding="utf-8") as file:
            file.write(_typed(answers))
        says = os.path.join(scratch, "output")
        write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        for descriptor, name, flags in (
                (0, given, os.O_RDONLY), (1, says, write), (2, says, write)):
            file_number = os.open(name, flags, 0o600)
            os.dup2(file_number, descriptor)
            os.close(file_number)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    # By lines, so that the two streams are in order and what ends suddenly has said its last line.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = (  # type: ignore[misc]
        sys.stdin, sys.stdout, sys.stderr)


def _limits(memory: int | None) -> None:
    import resource  # which Windows has not

    wanted = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": _FILE, "RLIMIT_DATA": memory}
    if os.geteuid():
        wanted["RLIMIT_NPROC"] = _PROCESSES  # of the view alone
    for name, most in wanted.items():
        if most is not None and hasattr(resource, name):
            number = getattr(resource, name)
            with contextlib.suppress(OSError, ValueError):
                hard = resource.getrlimit(number)[1]
                most = most if hard < 0 else min(most, hard)
                resource.setrlimit(number, (most, most))


def _refuse_writes(scratch: str) -> None:
    """Where there is no view: what Python writes outside of the scratch folder fails."""
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    changing = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink",
                "os.truncate", "shutil.rmtree", "os.chmod"}

    def allowed(path: Any) -> bool:
        if isinstance(path, int) or not isinstance(path, str | bytes | os.PathLike):
            return True
        real = os.path.realpath(os.fsdecode(path))
        return any(real == each or real.startswith(each + os.sep)
                   for each in (scratch, "/dev", "/proc"))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & writing
        if (writes or event in changing) and not all(map(allowed, arguments[:1])):
            raise PermissionError(f"a trial writes only in its own folder, not {arguments[0]!r}")

    sys.addaudithook(hook)


# Seeds -------------------------------------------------------------------------------------------
def _seeds(shift: int) -> None:
    """Starts all generators alike, and moves each seed that the program sets by `shift`."""
    # The server has loaded them, if they are there at all.
    places = [(module, name) for module, name in (
        (random, "seed"), (sys.modules.get("numpy.random"), "seed"),
        (sys.modules.get("torch"), "manual_seed"), (sys.modules.get("torch.random"), "manual_seed"),
    ) if module is not None]
    for module, name in places:
        getattr(module, name)(_SEEDED + shift)
    for module, name in places if shift else ():
        setattr(module, name, _shifted(getattr(module, name), shift))


def _shifted(original: Any, shift: int) -> Any:
    import functools

    @functools.wraps(original)
    def seed(*arguments: Any, **options: Any) -> Any:
        if arguments and isinstance(arguments[0], int):
            arguments = (arguments[0] + shift, *arguments[1:])
        options = {name: value + shift if isinstance(value, int) and name in ("seed", "a")
                   else value for name, value in options.items()}
        return original(*arguments, **options)

    return seed
