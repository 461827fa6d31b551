"""The command line: arguments, exit statuses, and a sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from pathlib import Path

import jsonschema
import pytest

from tests import processes
from unstuck import __version__
from unstuck.commands.run import _next
from unstuck.judge import catalogue
from unstuck.record.reader import RecordWriter
from unstuck.report import schema
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.run import End, EndKind, Program
from unstuck.schema.findings import Diagnosis, Outcome, OutcomeKind
from unstuck.schema.signals.losses import TRAIN_LOSS

pytestmark = pytest.mark.usefixtures("default_signals")


def _unstuck(
    folder: Path, *arguments: str, text: str = "", **environment: str
) -> tuple[int, str, str]:
    keep = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "UNSTUCK_DEBUG")}
    done = processes.run(
        [sys.executable, "-m", "unstuck.cli", *arguments], cwd=folder, input=text, timeout=120,
        capture_output=True, encoding="utf-8", check=False,
        env={**keep, "XDG_STATE_HOME": str(folder / "state"), **environment},
    )
    return done.returncode, done.stdout, done.stderr


def _script(folder: Path, source: str, name: str = "train.py") -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(textwrap.dedent(source), encoding="utf-8")


def _record(folder: Path, losses: list[float], end: End | None = None) -> Path:
    writer = RecordWriter(folder, "0.1.0")
    writer.fact(Program(("train.py",), "3.11", "2.13", "Linux", ()), 0)
    writer.fact(Loss("loss", "mse_loss", False, None, (8, 1), (8, 1), "float32", "mean"), 0)
    for step, loss in enumerate(losses):
        writer.row(TRAIN_LOSS, step, loss)
    writer.end(end or End(EndKind.FINISHED), len(losses))
    writer.close()
    return folder


_DIVERGES = [2.0 * 1.5**step for step in range(30)] + [float("inf")] * 5 + [float("nan")] * 10


# run ---------------------------------------------------------------------------------------------
_SHOW = "import sys; print(sys.argv)"


@pytest.mark.parametrize("arguments", [
    ("train.py", "--json", "-", "--out", "x", "--max-steps", "none"),
    ("train.py", "-h", "--help"), ("train.py", "--", "-m", "x", "--", "*", "", "a b"),
])
def test_what_follows_the_script_is_the_scripts(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    _script(tmp_path, _SHOW)
    for ours in ((), ("--notes", "--max-steps", "3", "--out=o", "--")):
        status, out, _ = _unstuck(tmp_path, "run", *ours, *arguments)
        assert (status, out) == (0, f"{list(arguments)}\n")


@pytest.mark.parametrize("ours", [(), ("--quiet", "--out", "o"), ("--overhead", "0.1")])
@pytest.mark.parametrize("name", [("-m", "p.train"), ("-mp.train",)])
def test_what_follows_the_module_is_the_modules(
    tmp_path: Path, ours: tuple[str, ...], name: tuple[str, ...]
) -> None:
    _script(tmp_path, _SHOW, "p/train.py")
    status, out, _ = _unstuck(tmp_path, "run", *ours, *name, "-m", "--out", "x", "--", "-h")
    assert (status, out) == (0, f"{[f'{tmp_path}/p/train.py', '-m', '--out', 'x', '--', '-h']}\n")


@pytest.mark.parametrize(("source", "status"), [
    ("", 0), ("raise SystemExit(3)", 3), ("raise SystemExit('why')", 1), ("1 / 0", 1),
    ("import os; os._exit(7)", 7), ("import os; os.kill(os.getpid(), 15)", -15),
    ("raise KeyboardInterrupt", -2),
])
def test_the_status_is_the_programs_own(tmp_path: Path, source: str, status: int) -> None:
    _script(tmp_path, source)
    assert _unstuck(tmp_path, "run", "--fail-on", "warning", "train.py")[:2] == (status, "")


def test_standard_output_and_input_are_the_programs(tmp_path: Path) -> None:
    _script(tmp_path, "import sys; sys.stdout.write(sys.stdin.read() * 2)")
    status, out, says = _unstuck(tmp_path, "run", "train.py", text="one\ntwo")
    assert (status, out) == (0, "one\ntwoone\ntwo")
    assert says.startswith("unstuck: the program ended without importing torch")
    assert _unstuck(tmp_path, "run", "--quiet", "train.py") == (0, "", "")


@pytest.mark.parametrize(("arguments", "words"), [
    (("run", "trian.py"), "there is no script trian.py; did you mean train.py?"),
    (("run", "python"), "give the program itself: unstuck run train.py"),
    (("run", "no/where.py"), "there is no script no/where.py"),
    (("run", "-"), "there is no script -"),
    (("run", "."), ". is a folder without __main__.py; give the path of a script"),
    (("run", "-m"), "-m needs the name of a module"),
    (("run", "-m", "no.module"), "No module named 'no'"),
    (("run", "--json", "-", "train.py"),
     "run --json needs a file because standard output belongs to the program"),
    (("run", "--json", "no/d.json", "train.py"), "there is no folder no"),
    (("run", "--json", ".", "train.py"), "--json needs a file, but . is a folder"),
    (("run", "--out", "train.py", "train.py"),
     "the record cannot be saved in 'train.py': it is a file, not a folder"),
    (("run", "--max-steps", "0", "train.py"), "--max-steps"),
    (("run", "--overhead", "2", "train.py"), "--overhead"),
    (("run", "--overhead", "nan", "train.py"), "--overhead needs a number from 0 to 1"),
    (("run", "--fail-on", "note", "train.py"), "--fail-on"),
    (("run", "--nonsense", "train.py"), "--nonsense"),
    (("run", "--out"), "--out"),
    (("diagnose", "nowhere"), "there is no record at nowhere"),
    (("diagnose", "train.py"), "train.py"),
    (("diagnose",), "state/unstuck/runs; give the folder of a record"),
    (("explain", "dead-rulu"), "nothing is known of 'dead-rulu'; did you mean dead-relu?"),
    (("explain", "zzz"), "nothing is known of 'zzz'; `unstuck list` prints all causes"),
    (("nonsense",), "nonsense"),
])
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    _script(tmp_path, "print('started')")
    status, out, says = _unstuck(tmp_path, *arguments)
    assert (status, out) == (2, "")
    assert words in says
    assert "Traceback" not in says
    if "Usage" not in says:
        assert says.count("\n") == 1


def test_a_record_is_never_written_over(tmp_path: Path) -> None:
    _script(tmp_path, "print('started')")
    _record(tmp_path / "o", [1.0])
    before = (tmp_path / "o" / "events.jsonl").read_bytes()
    status, out, says = _unstuck(tmp_path, "run", "--out", "o", "train.py")
    assert (status, out) == (2, "")
    assert "'o' already holds a record" in says
    assert (tmp_path / "o" / "events.jsonl").read_bytes() == before


def _leaves(record: Path, then: str = "") -> str:
    """A program that leaves this record where it was asked for with --out, under the run's id."""
    return "\n".join([
        "import json, os, pathlib, re, sys",
        "run = json.loads(sys._getframe(1).f_locals['self']._config)['record']",
        f"text = pathlib.Path({str(record / 'events.jsonl')!r}).read_text()",
        """text = re.sub('"record":"[0-9a-f]*"', f'"record":"{run}"', text)""",
        "pathlib.Path('o/events.jsonl').write_text(text)",
        then,
    ])


@pytest.mark.parametrize(("options", "then", "status"), [
    ((), "", 0),
    (("--fail-on", "never"), "", 0),
    (("--fail-on", "error"), "", 1),
    (("--fail-on", "warning"), "", 1),
    (("--fail-on", "error"), "raise SystemExit(3)", 3),
    (("--fail-on", "error"), "os.kill(os.getpid(), 9)", -9),
])
def test_fail_on_counts_where_the_program_did_not_fail(
    tmp_path: Path, options: tuple[str, ...], then: str, status: int
) -> None:
    record = _record(tmp_path / "made", _DIVERGES)
    _script(tmp_path, _leaves(record, then))
    done, out, says = _unstuck(
        tmp_path, "run", "--out", "o", "--json", "d.json", *options, "train.py"
    )
    assert (done, out) == (status, "")
    assert "error[non-finite-loss]" in says
    assert says.endswith("record saved to o (read it again with `unstuck diagnose o`, "
                         "try its fixes with `unstuck fix o`)\n")
    assert ("was ended by SIGKILL" in says) is (status == -9)
    document = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema.json_schema()).validate(document)
    assert document["findings"][0]["cause"] == "non-finite-loss"


@pytest.mark.parametrize(("arguments", "says"), [
    (("check", "trian.py"), "there is no script trian.py; did you mean train.py?"),
    (("check", "--json", "no/a.json", "train.py"), "there is no folder no"),
    (("check", "--budget", "soon", "train.py"), "'soon' is not a length of time"),
])
def test_check_refuses_what_cannot_be_asked(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    _script(tmp_path, "import torch")
    status, out, err = _unstuck(tmp_path, *arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")
def test_check_exits_with_1_for_a_failed_question_and_writes_the_answers(tmp_path: Path) -> None:
    program = Path(__file__).parent / "trials" / "checked" / "mixing.py"
    _script(tmp_path, program.read_text(encoding="utf-8"))
    status, out, err = _unstuck(tmp_path, "check", "--json", "a.json", "train.py")
    assert status == 1, err
    assert "fail     samples-apart" in out
    assert "(train.py:17:18)" in out
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema.json_schema()).validate(document)
    answers = {each["question"]: each for each in document["answers"]}
    assert answers["samples-apart"]["verdict"] == "fail"
    assert answers["samples-apart"]["location"]["line"] == 17
    assert _unstuck(tmp_path, "check", "--fail-on", "never", "train.py")[0] == 0


_THEN = (", try the usual suspects with `unstuck prove o`, or ask where it goes wrong with "
         "`unstuck check o`")


@pytest.mark.parametrize(("kind", "skill", "then"), [
    (OutcomeKind.NOT_LEARNING, 0.0, _THEN),
    (OutcomeKind.CONVERGED, 0.99, ""),
])
def test_a_failed_run_without_a_finding_names_the_next_command(
    kind: OutcomeKind, skill: float, then: str
) -> None:
    outcome = Outcome(kind, 0.9, "The loss is where it is.", 0, skill=skill)
    diagnosis = Diagnosis("0.1.0", "0" * 32, outcome, (), (), 100)
    assert _next(diagnosis, "o", proving=False) == then
    assert _next(diagnosis, "o", proving=True) == ""


def test_an_error_in_the_diagnosis_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "events.jsonl").write_text(
        '{"type":"header","schema":99,"version":"9","record":"0a"}\n')
    _script(tmp_path, _leaves(tmp_path / "made", "raise SystemExit(4)"))
    status, out, says = _unstuck(tmp_path, "run", "--out", "o", "train.py")
    assert (status, out) == (4, "")
    assert says.startswith("unstuck: o/events.jsonl ")
    assert says.count("\n") == 1


_STILL = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 4), torch.randint(2, (64,))
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(40):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
"""


def test_a_fault_of_ours_names_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from unstuck import cli
    from unstuck.judge import engine as diagnosis

    def broken(*_: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(diagnosis, "diagnose", broken)
    monkeypatch.delenv("UNSTUCK_DEBUG", raising=False)
    monkeypatch.setattr(sys, "argv", ["unstuck", "diagnose", str(_record(tmp_path / "r", [1.0]))])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        "unstuck: the diagnosis failed because of a bug in unstuck (RuntimeError: first line). "
        f"The record is kept in {tmp_path / 'r'}. Set UNSTUCK_DEBUG=1 to see the traceback.\n"
    )
    monkeypatch.setenv("UNSTUCK_DEBUG", "1")
    with pytest.raises(SystemExit):
        cli.main()
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_ours_in_any_command_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from unstuck import cli
    from unstuck.judge import catalogue

    def broken(*_: object) -> None:
        raise KeyError("of ours")

    monkeypatch.setattr(catalogue, "causes", broken)
    monkeypatch.delenv("UNSTUCK_DEBUG", raising=False)
    monkeypatch.setattr(sys, "argv", ["unstuck", "list"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        "unstuck: the command failed because of a bug in unstuck (KeyError: 'of ours'). Set "
        "UNSTUCK_DEBUG=1 to see the traceback.\n")


def test_a_fault_of_ours_in_a_trial_leaves_the_diagnosis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from unstuck import cli
    from unstuck.commands import prove

    def broken(*_: object) -> None:
        raise ValueError("of ours")

    (tmp_path / "still.py").write_text(_STILL)
    monkeypatch.setattr(prove, "planned", broken)
    monkeypatch.delenv("UNSTUCK_DEBUG", raising=False)
    monkeypatch.setattr(sys, "argv", ["unstuck", "prove", str(tmp_path / "still.py")])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    said = capsys.readouterr()
    assert "trying changes failed because of a bug in unstuck (ValueError: of ours)" in said.err
    assert "error[step-never-called]" in said.out + said.err


# diagnose, explain, list -------------------------------------------------------------------------
def test_a_record_is_diagnosed_again(tmp_path: Path) -> None:
    _record(tmp_path / "r", _DIVERGES)
    status, out, says = _unstuck(tmp_path, "diagnose", "r")
    assert (status, says) == (1, "")
    assert "error[non-finite-loss]" in out
    assert _unstuck(tmp_path, "diagnose", "r/events.jsonl", "--fail-on", "never") == (0, out, "")
    status, out, _ = _unstuck(tmp_path, "diagnose", "r", "--json", "-")
    assert status == 1
    jsonschema.Draft202012Validator(schema.json_schema()).validate(json.loads(out))
    assert _unstuck(tmp_path, "diagnose", "r", "--json", "-")[1] == out


def test_the_last_run_is_diagnosed_by_default(tmp_path: Path) -> None:
    _record(tmp_path / "state/unstuck/runs/20260101T000000Z-train-7", _DIVERGES)
    _record(tmp_path / "state/unstuck/runs/20260102T000000Z-train-6", [])
    status, out, _ = _unstuck(tmp_path, "diagnose")
    assert (status, out.count("\n")) == (0, 1)
    assert "called no model in this process" in out
    assert _unstuck(tmp_path, "diagnose", "--quiet") == (0, "", "")


def test_a_run_that_has_not_begun_its_record_is_not_the_last_one(tmp_path: Path) -> None:
    runs = tmp_path / "state/unstuck/runs"
    _record(runs / "20260101T000000Z-train-7", _DIVERGES)
    (runs / "20260102T000000Z-train-8").mkdir()
    status, out, says = _unstuck(tmp_path, "diagnose")
    assert (status, says) == (1, "")
    assert "error[non-finite-loss]" in out


def test_a_watching_that_failed_blames_no_program(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path / "r", "0.1.0")
    writer.odd("watcher-failed", 0, "watching stopped at step 0 after an error in unstuck: OSError")
    writer.close()
    status, out, says = _unstuck(tmp_path, "diagnose", "r")
    assert (status, says) == (0, "")
    assert out == (
        "unstuck: watching ended before any training was seen, so there is nothing to diagnose\n"
        "note: watching stopped at step 0 after an error in unstuck: OSError\n")


def test_explain_prints_the_words_of_a_cause(tmp_path: Path) -> None:
    cause = catalogue.causes()[0]
    status, out, says = _unstuck(tmp_path, "explain", cause.code.lower())
    assert (status, says) == (0, "")
    assert out.startswith(f"{cause.slug} ({cause.code})")


def test_list_prints_every_cause(tmp_path: Path) -> None:
    status, out, says = _unstuck(tmp_path, "list")
    assert (status, says) == (0, "")
    for cause in catalogue.causes():
        assert f"  {cause.code}  {cause.slug} " in out
        assert f"\n{cause.family}\n" in f"\n{out}"


def test_version_and_help(tmp_path: Path) -> None:
    assert _unstuck(tmp_path, "--version") == (0, f"unstuck {__version__}\n", "")
    status, out, _ = _unstuck(tmp_path, "run", "--help")
    assert status == 0
    assert "--no-program-text" in out
    status, told, _ = _unstuck(tmp_path, "-h")
    assert status == 0
    assert re.findall(r"^  (\w+)  ", told, re.MULTILINE) == [
        "run", "check", "diagnose", "prove", "fix", "curves", "explain", "list"]
    assert _unstuck(tmp_path) == (2, "", told), "without a command its help is printed, in lines"
    assert _unstuck(tmp_path, "run") == (2, "", out)


@pytest.mark.parametrize("command", ["--version", "--help", "list", "explain"])
def test_what_is_not_needed_is_not_imported(tmp_path: Path, command: str) -> None:
    arguments = [command, *(["dead-relu"] if command == "explain" else [])]
    code = (
        "import sys\nfrom unstuck import cli\n"
        f"sys.argv = ['unstuck', *{arguments}]\n"
        "try: cli.main()\nexcept SystemExit: print(*sys.modules)"
    )
    done = processes.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"torch", "sklearn", "scipy", "rich", "pydantic", "numpy.random"}
    assert command in ("list", "explain") or not loaded & {"numpy", "msgspec"}


# The whole way, with torch ------------------------------------------------------------------------
def test_a_program_that_diverges_is_told_so(tmp_path: Path) -> None:
    _script(tmp_path, """
        import torch
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=100.0)
        x = torch.randn(64, 4)
        y = x.sum(1, keepdim=True)
        for step in range(200):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        print("trained")
        """)
    status, out, says = _unstuck(
        tmp_path, "run", "--overhead", "1", "--json", "d.json", "--fail-on", "error", "train.py"
    )
    assert (status, out) == (1, "trained\n")
    document = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema.json_schema()).validate(document)
    first = document["findings"][0]
    assert (first["cause"], first["severity"]) == ("learning-rate-too-high", "error")
    assert first["location"]["line"] == 5
    argument = 'optimizer = torch.optim.SGD(model.parameters(), lr='
    assert f"│ {' ' * len(argument)}^^^^^" in says
    out = _unstuck(tmp_path, "run", "--max-steps", "3", "train.py")
    assert out[:2] == (0, "")
    assert "The run is too short to judge" in out[2]
