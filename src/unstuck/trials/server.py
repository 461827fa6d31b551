"""The process that trials are forked from: it has torch and the program's libraries loaded.

Started by `laboratory` as a script. Each line of its input asks for one trial; each line of its
output is how one ended. It never loads a module of the user's and never touches a GPU.

A trial is three processes: a guard, which enters the private view and keeps the limit of time; the
first process in the view, with which all others there end; and the program.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS = ("torch", "torch._dynamo", "numpy", "unstuck.observe.session", "unstuck.observe.watcher",
         "unstuck.observe.program", "unstuck.asking.child", "unstuck.trials.view",
         "unstuck.trials.child")


_LAST_WORDS = 2.0  # seconds


def main() -> list[str] | None:
    """Answers requests; returns only in a trial, with the module to start and its arguments."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    from unstuck.trials.kernel import Library

    with contextlib.suppress(OSError):
        Library().die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    for name in (*_OURS, *json.loads(requests.readline())["preload"]):
        # A library that cannot be loaded is the program's own affair, later.
        with contextlib.suppress(BaseException):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # at its end, a fork would look at each of a million objects again
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guards need no one to wait for them
    _answer(answers, {"ready": True})
    for line in requests:
        request = json.loads(line)
        if not os.fork():
            requests.close()
            return _guard(request, answers)
    return None


def _answer(answers: int, answer: dict[str, Any]) -> None:
    os.write(answers, json.dumps(answer).encode() + b"\n")  # short enough not to be torn apart


def _guard(request: dict[str, Any], answers: int) -> list[str] | None:
    """Keeps one trial; returns only in the program's process."""
    from unstuck.trials import child, view
    from unstuck.trials.kernel import Library

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):
        Library().die_with_parent()
    answer: dict[str, Any] = {"id": request["id"], "status": None, "signal": None, "hung": False,
                              "no_view": None, "copied": False, "cancelled": False,
                              "seconds": 0.0, "processor": 0.0}
    began = time.monotonic()
    try:
        cancel = os.open(os.path.join(request["scratch"], child.CANCEL), os.O_RDWR)
        try:
            wish = view.Wish(request["scratch"], tuple(request["covered"]), request["texts"],
                             request["working_folder"], request["network"])
            if request["copy"]:
                raise view.NoView("")
            view.enter(wish)
        except view.NoView:
            folder = view.copied(wish, request["folder"])
            child.move_to(request, folder)
            answer["copied"] = True
    except Exception as error:  # whatever it is, it must not look like the program's own
        _answer(answers, answer | {"no_view": str(error) or type(error).__name__})
        os._exit(0)
    told, telling = os.pipe()
    first = os.fork()
    if not first:
        for descriptor in (told, answers, cancel):
            os.close(descriptor)
        return _first(request, telling, not answer["copied"])
    os.close(telling)
    heard = select.select([told, cancel], [], [], request["timeout"])[0]
    answer |= {"hung": not heard, "cancelled": heard == [cancel]}
    status = os.read(told, 32) if told in heard else b""
    for number in (first, -first):  # the kernel ends all that is in its view with it
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
    used = os.wait4(first, 0)[2]
    if status:
        code = os.waitstatus_to_exitcode(int(status))
        answer |= {"status": max(code, 0), "signal": -code if code < 0 else None}
    elif told in heard:
        answer["signal"] = int(signal.SIGKILL)  # memory ran out
    _answer(answers, answer | {"seconds": time.monotonic() - began,
                               "processor": used.ru_utime + used.ru_stime})
    os._exit(0)


def _first(request: dict[str, Any], telling: int, in_view: bool) -> list[str] | None:
    """Waits for the program, whose end is that of all others in the view."""
    from unstuck.trials import child, view
    from unstuck.trials.kernel import Library

    os.setpgid(0, 0)
    with contextlib.suppress(OSError):
        Library().die_with_parent()
    if in_view:
        view.settle_first()
    ours, theirs = child.open_terminal() if request["terminal"] else (None, None)
    copier = os.fork() if ours is not None else None
    if copier == 0 and ours is not None and theirs is not None:
        os.close(theirs)
        os.close(telling)
        child.copy_terminal(request["scratch"], request["answers"], ours)
        os._exit(0)
    program = os.fork()
    if not program:
        os.close(telling)
        if ours is not None:
            os.close(ours)
        return child.become(request, in_view, theirs)
    for each in (ours, theirs):
        if each is not None:
            os.close(each)
    while True:
        ended, status = os.wait()
        if ended == program:
            _await(copier)
            os.write(telling, str(status).encode())
            os._exit(0)


def _await(copier: int | None) -> None:
    """Lets the last words be written down; a process left over may hold the terminal for ever."""
    until = time.monotonic() + _LAST_WORDS
    with contextlib.suppress(ChildProcessError):
        while copier is not None and time.monotonic() < until and (
                os.waitpid(copier, os.WNOHANG)[0] == 0):
            time.sleep(0.01)


if __name__ == "__main__":
    del sys.path[0]  # this folder, which holds modules of common names
    sys.path.insert(0, ROOT)
    importlib.import_module("unstuck")  # this one, whatever else is installed under the name
    del sys.path[0]
    _arguments = main()
    if _arguments is not None:
        sys.argv = _arguments
        importlib.import_module(_arguments[0]).main()
