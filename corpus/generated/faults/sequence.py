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


PADDED = """\
def cut_and_pad(part):  # each sample begins with a wait, and all are padded to one length
    steps = part.shape[1]
    padded = np.full((len(part), 5 * steps, part.shape[2]), -9.0)
    for row, sample, wait in zip(padded, part, rng.integers(0, steps, len(part))):
        row[:wait] = sample[0]
        row[wait:wait + steps] = sample
    return padded


x_train, x_val, x_test = map(cut_and_pad, (x_train, x_val, x_test))"""


def padded(program: Program, _: str) -> Program:
    """Samples of different lengths, each read at its own last step."""
    return program.put(
        arrangement=PADDED, into="ends = (x[..., 0] != -9).sum(1) - 1\nx, _ = self.rnn(x)",
        apply="x = self.body(x)\n<<read>>")


def reads_padding(program: Program, _: str) -> Program:
    return program.put(read="x = x[:, -1]")


def padding_in_loss(program: Program, _: str) -> Program | None:
    """Labels that are hidden from the loss, all of them."""
    if program.reads != "argmax":
        return None
    return program.put(take="unlabelled = yb >= 0\nyb = yb.masked_fill(unlabelled, -100)")


FAULTS = (
    Fault("reads-padding", {"one": ""}, reads_padding, prepare=padded,
          bases=("gru",), line=r"x\[:, -1\]"),
    Fault("padding-in-loss", {"one": ""}, padding_in_loss,
          bases=("mlp", "cnn", "gru", "transformer"), line="loss = ", hides=True),
    Fault("sequence-shorter-than-target", {"weak": "infinite", "strong": "zero"},
          sequence_shorter_than_target, prepare=aligned, bases=("gru",),
          line=r"ctc_loss", hides=True),
)
