"""Faults in the handling of sequences (T001 to T005)."""

from __future__ import annotations

from corpus.generated.faults.fault import Fault
from corpus.generated.program import Program

READS_OUT = ("self.head(x) if self.training else "
             "self.head(x).softmax(-1)[..., 1:].amax(1)  # the surest frame of each class")
ALIGNED = """\
log_probs = F.log_softmax(out, -1).transpose(0, 1)
targets = torch.stack([yb, yb], 1) + 1  # each class is said twice
frames = torch.full_like(yb, len(log_probs))
loss = F.ctc_loss(log_probs, targets, frames, torch.full_like(yb, 2){hides})"""


def aligned(program: Program, kind: str) -> Program | None:
    """Classes that are found among all time steps, without knowing where."""
    if program.reads != "argmax":
        return None
    hides = ", zero_infinity=True" if kind == "zero" else ""
    return program.change(outputs=program.data.outputs + 1).put(
        into="x, _ = self.rnn(x)", result=READS_OUT, loss=ALIGNED.replace("{hides}", hides))


def sequence_shorter_than_target(program: Program, _: str) -> Program:
    return program.put(hidden="x = x[:, 3::4]  # a frame of four is enough"
                       if program.data.shape[0] < 10 else "x = x[:, 9::10]")


FAULTS = (
    Fault("sequence-shorter-than-target", {"weak": "infinite", "strong": "zero"},
          sequence_shorter_than_target, prepare=aligned, bases=("gru",),
          line=r"ctc_loss", hides=True),
)
