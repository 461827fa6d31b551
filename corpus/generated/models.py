"""The networks of the generated programs, as source text."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corpus.generated.program import Program

GAIN = '''\
class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


'''
CLASS = '''\
<<extra>>
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        <<stem>>
        <<body>>
        self.head = <<head>>

    def forward(self, x):
        <<into>>
        <<apply>>
        <<hidden>>
        return <<result>>


model = Net()'''
# Places that only a network written as a class has.
INSIDE = {"stem", "into", "body", "head", "apply", "hidden", "logits", "result"}
POOLS = 2  # a convolutional network halves its image so often


def slots(program: Program) -> dict[str, str]:
    """The lines of the network, by the name of their place."""
    layers = body(program)
    stem, into, features = _stem(program)
    outputs = f"nn.Linear({features}, {program.outputs or program.data.outputs})"
    last = f"torch.{program.last}(<<logits>>)" if program.last else "<<logits>>"
    whole = [*layers, outputs]
    if program.last:
        whole.append({"relu": "nn.ReLU()", "sigmoid": "nn.Sigmoid()", "tanh": "nn.Tanh()"}[
            program.last])
    plain = (program.loop == "rows" and len(program.data.shape) == 1
             and program.base != "transformer" and not INSIDE & set(program.slots))
    return {
        "network": f"<<extra>>\nmodel = {stacked(whole)}" if plain else CLASS,
        "extra": GAIN if program.gain != 1 else "",
        "stem": stem,
        "into": into,
        "body": f"self.body = {stacked(layers) if layers else 'nn.Identity()'}",
        "listed": stacked(layers, "[", "]"),
        "head": outputs,
        "apply": "x = self.body(x)",
        "hidden": "",
        "closed": "~real",
        "read": "x = x[torch.arange(len(x)), ends]",  # where a fault is about it
        "logits": "self.head(x)",
        "result": last,
        "initialise": "",
        "batch_first": "True",
    }


def stacked(layers: list[str], opening: str = "nn.Sequential(", closing: str = ")") -> str:
    """Layers one below the other."""
    return "\n".join([opening, *(f"    {layer}," for layer in layers), closing])


def body(program: Program) -> list[str]:
    """The hidden layers, one expression each."""
    if program.base == "cnn":
        return _convolutions(program)
    width, layers = program.width, []
    size = prod(program.data.shape) if program.base in ("mlp", "mlp-regression",
                                                        "autoencoder") else width
    for index in range(program.depth):
        wide = width
        if program.base == "autoencoder" and index == program.depth // 2:
            wide = max(1, width // 4)  # the code
        layers.append(f"nn.Linear({size}, {wide})")
        layers += _after(program, f"nn.BatchNorm1d({wide})")
        size = wide
    return layers


def _convolutions(program: Program) -> list[str]:
    layers: list[str] = []
    channels = program.data.shape[0]
    for index in range(program.depth):
        layers.append(f"nn.Conv2d({channels}, {program.width}, 3, padding=1)")
        layers += _after(program, f"nn.BatchNorm2d({program.width})")
        if index < POOLS:
            layers.append("nn.MaxPool2d(2)")
        channels = program.width
    return [*layers, "nn.Flatten()"]


def _after(program: Program, norm: str) -> list[str]:
    layers = [norm] if program.norm else []
    if program.gain != 1:
        layers.append(f"Times({program.gain:g})")
    if program.activation:
        layers.append(f"nn.{program.activation}()")
    if program.dropout:
        layers.append(f"nn.Dropout({program.dropout:g})")
    return layers


def _stem(program: Program) -> tuple[str, str, int]:
    """What comes before the hidden layers: its construction, its use, features for the head."""
    width, shape = program.width, program.data.shape
    if program.base == "gru":
        return (f"self.rnn = nn.GRU({shape[1]}, {width}, batch_first=<<batch_first>>)",
                "x, _ = self.rnn(x)\nx = x[:, -1]", width)
    if program.base == "transformer":
        enter = (f"self.enter = nn.Embedding({program.data.tokens}, {width})"
                 if program.data.tokens else f"self.enter = nn.Linear({shape[1]}, {width})")
        stem = (f"{enter}\n"
                f"self.place = nn.Parameter(0.1 * torch.randn({shape[0]}, {width}))\n"
                "self.mix = nn.TransformerEncoderLayer(\n"
                f"    {width}, 4, {2 * width}, dropout=0.0, batch_first=<<batch_first>>)")
        return stem, "x = self.mix(self.enter(x) + self.place)\nx = x.mean(1)", width
    if program.base == "cnn":
        side = shape[1]
        for _ in range(min(program.depth, POOLS)):
            side //= 2
        channels = width if program.depth else shape[0]
        return "", "", channels * side * side
    if not program.depth:
        return "", "", prod(shape)
    code = program.base == "autoencoder" and program.depth // 2 == program.depth - 1
    return "", "", max(1, width // 4) if code else width
