"""The child is told from plain Python by nothing that a program can see."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from tests import processes
from unstuck.messages import Pipe
from unstuck.observe import program

pytestmark = pytest.mark.usefixtures("default_signals")

ENDS = {
    "returns": "print('done')",
    "exit 0": "raise SystemExit(0)",
    "exit 3": "import sys; sys.exit(3)",
    "exit 256": "import sys; sys.exit(256)",
    "exit -1": "import sys; sys.exit(-1)",
    "exit message": "import sys; sys.exit('no data here')",
    "raise": "def f(x):\n    return 1 / x\n\nf(0)",
    "raise chained": "try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('é') from e",
    "group": "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
    "bad str": "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
    "own cause": "class E(Exception):\n    __cause__ = property(lambda self: 1 / 0)\nraise E",
    "syntax error": "x = 1\ny = = 2\n",
    "own excepthook": """
        import sys, traceback as t
        sys.excepthook = lambda kind, e, tb: (t.print_exception(e), print(len(t.extract_tb(tb))))
        raise OSError('x')
        """,
    "interrupted": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('after')",
    "interrupted, caught": "try:\n    raise KeyboardInterrupt\nexcept: print('saved')",
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "os._exit": "import os\nprint('lost')\nos._exit(7)",
    "atexit": """
        import atexit
        atexit.register(print, 'first in'); atexit.register(print, 'last in')
        class D:
            def __del__(self): print('deleted', __name__)
        d = D()
        print('main')
        """,
    "atexit with os._exit": "import atexit, os\natexit.register(os._exit, 5)\nraise ValueError",
    "thread outlives main": """
        import threading, atexit
        gate = threading.Event()
        def late():
            gate.wait(); print('thread')
        threading.Thread(target=late).start()
        atexit.register(print, 'atexit')
        print('main'); gate.set()
        """,
    "raise in a thread": "import threading\nthreading.Thread(target=int, args='x').start()",
    "warning": "import warnings as w\nw.warn('hm')\ndef f(): w.warn('two', stacklevel=2)\nf()",
}

SEES = {
    "argv": "import sys; print(sys.argv)",
    "names": "print(__name__, __file__, __package__, __doc__, __cached__, type(__loader__))",
    "globals": "print(sorted(globals()), type(__builtins__), __annotations__)",
    "annotations": "x: int = 3\nprint(__annotations__)",
    "path": "import sys; print(sys.path)",
    "orig argv": "import sys; print(sys.orig_argv[1:])",
    "flags": "import sys; print(sys.flags, sys.warnoptions, sys._xoptions)",
    "hooks": "import sys; print(sys.excepthook is sys.__excepthook__, sys.gettrace())",
    "spec": "print(getattr(__spec__, 'name', None), getattr(__spec__, 'origin', None))",
    "main": "import __main__, sys; print(__main__.__dict__ is globals(), sys.modules['__main__'])",
    "frame": "import sys\nprint(sys._getframe().f_code.co_name)",
    "source": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))",
    "future": "from __future__ import annotations\nx: int\nprint(__annotations__)",
    "stdin": "import sys; print(repr(sys.stdin.read()), sys.stdin.isatty())",
    "neighbour": "import neighbour; print(neighbour.VALUE, neighbour.__file__)",
    "pickle": """
        import pickle
        class A: pass
        print(pickle.dumps(A()), type(pickle.loads(pickle.dumps(A()))) is A)
        """,
    "enum and dataclass": """
        from dataclasses import dataclass
        from typing import get_type_hints
        @dataclass
        class P:
            x: 'int'
        print(get_type_hints(P), P(1))
        """,
}


def _files(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


def _plain(folder: Path, *target: str, flags: tuple[str, ...] = (), text: str = "") -> tuple:
    return _result([sys.executable, *flags, *target], folder, text)


def _child(folder: Path, *target: str, flags: tuple[str, ...] = (), text: str = "") -> tuple:
    return _told(folder, *target, flags=flags, text=text)[:3]


def _told(folder: Path, *target: str, flags: tuple[str, ...] = (), text: str = "") -> tuple:
    """How the child ended, and what its parent was told."""
    (folder / "record").mkdir(exist_ok=True)
    pipe = Pipe()
    config = f"{pipe.number} " + json.dumps({
        "folder": str(folder / "record"), "max_steps": None, "overhead": 0.03, "program_text": True
    })
    command = [sys.executable, *flags, program.__file__, config, *target]
    done = _result(command, folder, text, close_fds=False)
    pipe.started()
    return *done, pipe.read()


def _result(
    command: list[str], folder: Path, text: str, close_fds: bool = True
) -> tuple[int, str, str]:
    done = processes.run(
        command, cwd=folder, input=text, capture_output=True, encoding="utf-8", check=False,
        timeout=120, close_fds=close_fds,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ENDS)
def test_a_program_ends_as_in_plain_python(tmp_path: Path, name: str) -> None:
    _files(tmp_path, **{"train.py": ENDS[name]})
    assert _child(tmp_path, "train.py") == _plain(tmp_path, "train.py")


@pytest.mark.parametrize("name", SEES)
@pytest.mark.parametrize("path", ["train.py", "./train.py", "sub/../train.py"])
def test_a_program_sees_what_it_sees_in_plain_python(tmp_path: Path, name: str, path: str) -> None:
    _files(tmp_path, **{"train.py": SEES[name], "neighbour.py": "VALUE = 3", "sub/x.py": ""})
    arguments = (path, "--json", "-", "-h", "--", "", "a b", "-m")
    expected = _plain(tmp_path, *arguments, text="one\ntwo")
    assert expected[0] == 0
    assert _child(tmp_path, *arguments, text="one\ntwo") == expected


@pytest.mark.parametrize("name", SEES)
def test_a_module_sees_what_it_sees_in_plain_python(tmp_path: Path, name: str) -> None:
    _files(tmp_path, **{
        "package/__init__.py": "import sys; print(sys.argv)", "package/train.py": SEES[name],
        "neighbour.py": "VALUE = 3",
    })
    arguments = ("-m", "package.train", "--out", "x")
    expected = _plain(tmp_path, *arguments, text="one\ntwo")
    assert expected[0] == 0
    assert _child(tmp_path, *arguments, text="one\ntwo") == expected


@pytest.mark.parametrize("name", ["returns", "exit 3", "interrupted", "atexit", "os._exit"])
def test_a_module_ends_as_in_plain_python(tmp_path: Path, name: str) -> None:
    _files(tmp_path, **{"package/__init__.py": "", "package/train.py": ENDS[name]})
    status, out, _ = _child(tmp_path, "-m", "package.train")
    assert (status, out) == _plain(tmp_path, "-m", "package.train")[:2]


def test_a_modules_traceback_begins_with_the_users_frame(tmp_path: Path) -> None:
    _files(tmp_path, **{"package/__init__.py": "", "package/train.py": "from . import other",
                        "package/other.py": "1 / 0"})
    status, _, says = _child(tmp_path, "-m", "package.train")
    lines = says.splitlines()
    assert status == 1
    assert lines[1] == f'  File "{tmp_path}/package/train.py", line 1, in <module>'
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "runpy" not in says
    assert "observe" not in says


def test_packages_and_folders_run_their_main(tmp_path: Path) -> None:
    source = "import sys; from . import other; print(other.X, __spec__.name, sys.argv)"
    _files(tmp_path, **{"package/__init__.py": "", "package/__main__.py": source,
                        "package/other.py": "X = 4",
                        "folder/__main__.py": "import near; print(near.X, __name__, __package__)",
                        "folder/near.py": "X = 5"})
    assert _child(tmp_path, "-m", "package", "x") == _plain(tmp_path, "-m", "package", "x")
    assert _child(tmp_path, "folder", "x") == _plain(tmp_path, "folder", "x")


@pytest.mark.parametrize(
    ("target", "says"),
    [("nowhere", "No module named nowhere"),
     ("package.nowhere", "No module named package.nowhere"),
     ("package",
      "No module named package.__main__; 'package' is a package and cannot be directly executed")],
)
def test_a_module_that_cannot_run_is_refused(tmp_path: Path, target: str, says: str) -> None:
    _files(tmp_path, **{"package/__init__.py": ""})
    assert _told(tmp_path, "-m", target) == (2, "", "", {program.REFUSED: [says]})


@pytest.mark.parametrize(
    "flags", [("-I",), ("-O",), ("-OO", "-P"), ("-W", "error", "-X", "dev"), ("-u",), ("-E", "-s")]
)
def test_flags_work_as_in_plain_python(tmp_path: Path, flags: tuple[str, ...]) -> None:
    source = (
        "import sys; print(sys.path[:2], sys.flags, __debug__, sys.stdout.write_through); 1 / 0"
    )
    _files(tmp_path, **{"train.py": source})
    assert _child(tmp_path, "train.py", flags=flags) == _plain(tmp_path, "train.py", flags=flags)


def test_nothing_is_imported_before_the_program_does(tmp_path: Path) -> None:
    _files(tmp_path, **{"train.py": "import sys; print(*sorted(sys.modules))"})
    ours = set(_child(tmp_path, "train.py")[1].split())
    assert ours - set(_plain(tmp_path, "train.py")[1].split()) <= {"__future__", "atexit"}


def test_modules_named_as_ours_or_as_the_librarys_are_the_programs_own(tmp_path: Path) -> None:
    names = ["json", "session", "runpy", "unstuck", "typing", "program", "linecache"]
    source = f"for n in {names}: print(n, __import__(n).__dict__.get('MINE'))"
    _files(tmp_path, **{"train.py": source}, **{f"{name}.py": "MINE = 1" for name in names})
    assert _child(tmp_path, "train.py") == _plain(tmp_path, "train.py")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_work(tmp_path: Path, method: str) -> None:
    _files(tmp_path, **{"train.py": f"""
        import multiprocessing as mp, os, sys
        class Job:
            def __init__(self, n): self.n = n
        def work(job): return job.n * 2, __name__, sys.argv
        if __name__ == '__main__':
            with mp.get_context({method!r}).Pool(1) as pool:
                print(pool.map(work, [Job(1), Job(2)]))
        """})
    expected = _plain(tmp_path, "train.py", "-x")
    assert expected[0] == 0
    assert _child(tmp_path, "train.py", "-x") == expected


# Noticing torch ----------------------------------------------------------------------------------
_DRIVER = """
import sys, types
sys.path.insert(0, {root!r})
from unstuck.observe import program, session
stop = types.ModuleType('unstuck.observe.stop')
class StopTraining(BaseException): pass
stop.StopTraining = StopTraining
sys.modules['unstuck.observe.stop'] = stop

class Sites:
    def is_user(self, file): return file.endswith('train.py')

class Fake:
    sites, stopped = Sites(), False
    @classmethod
    def start(cls, options):
        import torch
        print('start', torch.READY, options.argv, options.program_folder, file=sys.stderr)
        session.now = cls()
        return session.now
    def finish(self, end):
        at = end.location and (end.location.line, end.location.column, end.location.end_column)
        print('finish', end.kind.value, end.status, end.exception, end.message, at, end.max_steps,
              file=sys.stderr)

session.Session = Fake
sys.path.insert(0, 'ours')
sys.argv = [program.__file__, {config!r}, *sys.argv[1:]]
program.main()
"""
_TORCH = {"torch/__init__.py": "import torch.nn\nREADY = True", "torch/nn.py": ""}


def _watched(
    folder: Path, *target: str, max_steps: int | None = None, program_text: bool = True
) -> tuple[int, str, list[str]]:
    (folder / "record").mkdir(exist_ok=True)
    config = json.dumps({"folder": str(folder / "record"), "max_steps": max_steps,
                         "overhead": 0.03, "program_text": program_text})
    root = str(Path(program.__file__).parents[2])
    driver = folder / "record" / "driver.py"
    driver.write_text(_DRIVER.format(root=root, config=config), encoding="utf-8")
    status, out, says = _result([sys.executable, str(driver), *target], folder, "")
    return status, out, says.splitlines()


@pytest.mark.parametrize("how", [
    "import torch", "import torch.nn as nn", "from torch.nn import *", "import library",
    "import threading as t\nx = t.Thread(target=__import__, args=('torch',)); x.start(); x.join()",
    "try:\n    import torch.missing\nexcept ImportError: pass\nimport torch, torch.nn",
])
def test_the_watching_starts_once_when_torch_is_there(tmp_path: Path, how: str) -> None:
    source = f"{how}\nimport sys, torch\nprint(torch.__loader__.__class__.__name__)\n"
    source += "print(vars(torch.__loader__).keys(), any('Torch' in str(f) for f in sys.meta_path))"
    _files(tmp_path, **_TORCH, **{"train.py": source, "library.py": "import torch"})
    status, out, says = _watched(tmp_path, "train.py", "x")
    assert says == [f"start True ('train.py', 'x') {tmp_path}",
                    "finish finished 0 None None None None"]
    assert (status, out) == (0, "SourceFileLoader\ndict_keys(['name', 'path']) False\n")


def test_a_package_that_imports_torch_itself_is_watched(tmp_path: Path) -> None:
    _files(tmp_path, **_TORCH, **{"p/__init__.py": "import torch", "p/t.py": "print(__name__)"})
    status, out, says = _watched(tmp_path, "-m", "p.t", "x")
    assert (status, out) == (0, "__main__\n")
    assert says[0] == f"start True ('-m', 'p.t', 'x') {tmp_path}/p"


@pytest.mark.parametrize(("source", "finish"), [
    ("raise SystemExit(3)", "exit 3 None None None None"),
    ("raise SystemExit(-1)", "exit 255 None None None None"),
    ("raise SystemExit(256)", "finished 0 None None None None"),
    ("raise SystemExit('why')", "exit 1 None None None None"),
    ("raise KeyboardInterrupt", "interrupted 130 None None None None"),
    ("é = 0; x = 1 + len(é)",
     "exception 1 TypeError TypeError: object of type 'int' has no len() (2, 16, 22) None"),
    ("raise sys.modules['unstuck.observe.stop'].StopTraining", "stopped 0 None None None None"),
])
def test_the_end_is_told(tmp_path: Path, source: str, finish: str) -> None:
    _files(tmp_path, **_TORCH, **{"train.py": f"import sys, torch\n{source}"})
    _, _, says = _watched(tmp_path, "train.py")
    assert f"finish {finish}" in says


def test_stopping_is_no_error(tmp_path: Path) -> None:
    _files(tmp_path, **_TORCH, **{"train.py": """
        import atexit, sys, torch
        atexit.register(print, 'bye')
        from unstuck.observe import session
        session.now.stopped = True
        try:
            raise sys.modules['unstuck.observe.stop'].StopTraining
        finally:
            print('finally')
        """})
    status, out, says = _watched(tmp_path, "train.py", max_steps=7)
    assert (status, out) == (0, "finally\nbye\n")
    assert says[1:] == ["finish stopped 0 None None None 7"]


def test_the_last_line_waits_for_threads_but_not_for_farewells(tmp_path: Path) -> None:
    _files(tmp_path, **_TORCH, **{"train.py": """
        import sys, threading, torch
        gate = threading.Event()
        def late():
            gate.wait(); print('late', file=sys.stderr, flush=True)
        threading.Thread(target=late).start()
        gate.set()
        """, "exits.py": "import atexit, os, torch\natexit.register(os._exit, 4)"})
    assert _watched(tmp_path, "train.py")[2][1:] == [
        "late", "finish finished 0 None None None None"]
    status, _, says = _watched(tmp_path, "exits.py")
    assert (status, says[1:]) == (4, ["finish finished 0 None None None None"])


def test_forked_children_are_not_watched(tmp_path: Path) -> None:
    _files(tmp_path, **_TORCH, **{"train.py": """
        import os, sys
        child = os.fork()
        if not child:
            import torch
            sys.exit(0)
        os.waitpid(child, 0)
        import torch
        child = os.fork()
        if not child:
            sys.exit(0)
        os.waitpid(child, 0)
        """})
    assert [line.split()[0] for line in _watched(tmp_path, "train.py")[2]] == ["start", "finish"]


def test_no_program_text_means_no_arguments(tmp_path: Path) -> None:
    _files(tmp_path, **_TORCH, **{"train.py": "import torch\nraise ValueError('secret')"})
    says = _watched(tmp_path, "train.py", "secret", program_text=False)[2]
    assert says[0].startswith("start True () ")
    assert says[1] == "finish exception 1 ValueError None (2, 1, 27) None"


def test_an_error_of_ours_leaves_the_program_alone(tmp_path: Path) -> None:
    _files(tmp_path, **_TORCH, **{"train.py": "import torch\nprint(torch.READY)\n1 / 0"})
    *ended, told = _told(tmp_path, "train.py")
    assert tuple(ended) == _plain(tmp_path, "train.py")
    assert list(told) == [program.UNWATCHED]


def test_a_broken_torch_fails_as_in_plain_python(tmp_path: Path) -> None:
    _files(tmp_path, **{"torch/__init__.py": "def f(): raise OSError('libtorch.so')\nf()",
                        "train.py": "import torch"})
    assert _child(tmp_path, "train.py") == _plain(tmp_path, "train.py")


def test_frames_of_ours_within_torch_are_left_out(tmp_path: Path) -> None:
    source = "__unstuck_f = lambda: int('x')\ndef f(): return __unstuck_f()\nf()"
    _files(tmp_path, **{"train.py": source})
    assert "in f\n" in _plain(tmp_path, "train.py")[2]
    assert "in f\n" not in _child(tmp_path, "train.py")[2]


def test_a_folder_named_torch_is_no_torch(tmp_path: Path) -> None:
    _files(tmp_path, **{"torch/data.txt": "", "train.py": "import torch; print(torch.__path__)"})
    flags = ("-S",)  # without the installed torch
    assert _child(tmp_path, "train.py", flags=flags) == _plain(tmp_path, "train.py", flags=flags)


def test_signal_handlers_are_the_programs_own(tmp_path: Path) -> None:
    source = "import signal; print([signal.getsignal(s) for s in signal.valid_signals()])"
    _files(tmp_path, **{"train.py": source})
    assert _child(tmp_path, "train.py") == _plain(tmp_path, "train.py")
