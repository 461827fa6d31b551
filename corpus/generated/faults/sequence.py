"""Faults in the handling of sequences (T001 to T005)."""

from __future__ import annotations

from corpus.generated.faults.fault import Fault, Proof
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
    waits = np.where(rng.random(len(part)) < 0.9, rng.integers(0, steps, len(part)), 4 * steps)
    for row, sample, wait in zip(padded, part, waits):
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


ATTENDED = """\
class Masked(nn.Module):  # attention to real places only, with a place that is always real
    def __init__(self, width):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, width))
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)

    def forward(self, x, real):
        query = self.query.expand(len(x), -1, -1)
        return self.attend(query, x, x, key_padding_mask=<<read>>, need_weights=False)[0][:, 0]


"""


def attended(program: Program, _: str) -> Program:
    """Padded samples, of which attention gathers what is real."""
    return program.put(
        arrangement=PADDED, extra=ATTENDED.replace("<<read>>", "<<closed>>"),
        stem=f"self.enter = nn.Linear({program.data.shape[1]}, {program.width // 4 * 4})\n"
             f"self.place = nn.Parameter(0.1 * torch.randn({5 * program.data.shape[0]}, "
             f"{program.width // 4 * 4}))\n"
             f"self.gather = Masked({program.width // 4 * 4})",
        into="real = x[..., 0] != -9\n"
             "x = self.gather(self.enter(x) + self.place, real)").change(
        width=program.width // 4 * 4)


def wrong_mask(program: Program, _: str) -> Program:
    return program.put(closed="real")


def target_in_input(program: Program, _: str) -> Program | None:
    """A column of the table that is the target itself."""
    if program.data.shape[0] < 3:
        return None
    return program.put(
        arrangement="for part, answers in ((x_train, y_train), (x_val, y_val), (x_test, y_test)):\n"
                    "    part[:, 1] = answers")


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
    Fault("wrong-mask", {"one": ""}, wrong_mask, prepare=attended, bases=("gru",),
          line="self.attend", hides=True),
    Fault("target-in-input", {"one": ""}, target_in_input, bases=("mlp", "mlp-regression"),
          proof=Proof.NATURE),
    Fault("sequence-shorter-than-target", {"weak": "infinite", "strong": "zero"},
          sequence_shorter_than_target, prepare=aligned, bases=("gru",),
          line=r"ctc_loss", hides=True),
)
