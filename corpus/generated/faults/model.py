"""Faults of the model (M001 to M008)."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from corpus.generated.faults.fault import Fault, Proof
from corpus.generated.program import Program

DENSE = ("mlp", "mlp-regression", "autoencoder")
EVERY_LAYER = '''\
for layer in model.modules():
    if isinstance(layer, (nn.Linear, nn.Conv2d)):
'''


def too_shallow(program: Program, depth: int) -> Program | None:
    if not program.data.curved or program.depth <= depth:
        return None
    return program.change(depth=depth)


def too_deep(program: Program, depth: int) -> Program | None:
    if program.norm:
        return None
    return program.change(depth=depth)


def too_narrow(program: Program, width: int) -> Program | None:
    if not program.depth or program.base == "transformer":
        return None  # its heads share the width
    return program.change(width=width)


def too_wide(program: Program, width: int) -> Program:
    return program.change(width=width)


def bad_initialisation(program: Program, kind: str) -> Program | None:
    if program.norm and kind != "zeros":
        return None
    return program.put(initialise=EVERY_LAYER + {
        "zeros": "        nn.init.zeros_(layer.weight)\n        nn.init.zeros_(layer.bias)",
        "constant": "        nn.init.constant_(layer.weight, 0.1)",
        "large": "        nn.init.normal_(layer.weight, std=4)",
        "small": "        nn.init.normal_(layer.weight, std=1e-4)",
    }[kind])


def wrong_output_activation(program: Program, last: str) -> Program | None:
    if program.reads != "value" or (program.base == "autoencoder" and program.data.name == "digits"
                                    and last != "tanh"):
        return None
    return program.change(last=last)


def output_does_not_fit_loss(program: Program, kind: str) -> Program | None:
    binary = program.data.reads == "sign"
    if program.data.reads == "value":
        return None
    if kind == "twice":
        return program.put(result="torch.sigmoid(<<logits>>)" if binary
                           else "F.softmax(<<logits>>, dim=1)")
    if binary and kind == "axis":
        return None
    if binary:  # logits where probabilities are expected; BCE refuses them, so clamped by hand
        return program.put(
            loss="loss = -(yb * torch.log(out.clamp(1e-6, 1)) "
                 "+ (1 - yb) * torch.log((1 - out).clamp(1e-6, 1))).mean()")
    if kind == "nll":
        return program.put(loss="loss = F.nll_loss(out, yb)")
    return program.put(loss="loss = F.nll_loss(torch.log_softmax(out, dim=0), yb)")


def missing_nonlinearity(program: Program, _: str) -> Program | None:
    if not program.data.curved or not program.depth or program.base not in DENSE:
        return None
    return program.change(activation="")


REPEATED = """\
self.body = nn.Sequential(
    nn.Linear({size}, {width}), nn.{activation}(),
    *[nn.Linear({width}, {width}), nn.{activation}()] * {times})"""


def repeated_layer(program: Program, kind: str) -> Program | None:
    if program.norm or program.dropout or program.gain != 1 or not program.activation:
        return None
    size, width = prod(program.data.shape), program.width
    if kind == "product":
        return program.put(body=REPEATED.format(
            size=size, width=width, activation=program.activation, times=program.depth - 1))
    return program.put(
        body=f"hidden = nn.Linear({width}, {width})\n"
             f"layers = [nn.Linear({size}, {width}), nn.{program.activation}()]\n"
             f"for _ in range({program.depth - 1}):\n"
             f"    layers += [hidden, nn.{program.activation}()]\n"
             "self.body = nn.Sequential(*layers)")


PRETRAINED = """\
import copy

donor = copy.deepcopy(model)
warm = torch.optim.Adam(donor.parameters(), lr=1e-3)
for _ in range(100):
    rows = torch.randint(len(x_train), (32,))
    xb, yb = x_train[rows], y_train[rows]
    out = donor(xb)<<squeeze>>
    <<loss>>
    warm.zero_grad()
    loss.backward()
    warm.step()
checkpoint = {<<key>>: value for key, value in donor.state_dict().items()}
model.load_state_dict(checkpoint, strict=False)"""


def pretrained(program: Program, _: str) -> Program:
    return program.put(initialise=PRETRAINED, key="key")


def checkpoint_not_loaded(program: Program, kind: str) -> Program:
    key = {"wrapper": '"module." + key', "part": '"encoder.net." + key'}[kind]
    return replace(program, slots={**program.slots, "key": key})


def deep_and_narrow(program: Program, _: str) -> Program | None:
    """Several layers that are too few weights if they are one."""
    return program.change(depth=5, width=8, norm=False)


FAULTS = (
    Fault("too-shallow", {"one": 0}, too_shallow, bases=("mlp", "mlp-regression"), trial=True),
    Fault("too-deep", {"weak": 14, "strong": 24}, too_deep, bases=(*DENSE, "cnn"), trial=True),
    Fault("too-narrow", {"weak": 2, "strong": 1}, too_narrow,
          bases=("mlp", "mlp-regression", "cnn", "gru", "autoencoder"), trial=True),
    Fault("too-wide", {"one": 1024}, too_wide, bases=("mlp", "mlp-regression"), trial=True),
    Fault("bad-initialisation",
          {"weak": "small", "middle": "constant", "strong": "large", "full": "zeros"},
          bad_initialisation),
    Fault("wrong-output-activation", {"weak": "tanh", "middle": "sigmoid", "strong": "relu"},
          wrong_output_activation, bases=("mlp-regression", "gru", "autoencoder")),
    Fault("output-does-not-fit-loss", {"weak": "twice", "middle": "axis", "strong": "nll"},
          output_does_not_fit_loss, bases=("mlp", "cnn", "gru", "transformer"),
          line=r"loss = |softmax|sigmoid"),
    Fault("missing-nonlinearity", {"one": ""}, missing_nonlinearity,
          bases=("mlp", "mlp-regression")),
    Fault("checkpoint-not-loaded", {"one": "wrapper", "two": "part"}, checkpoint_not_loaded,
          prepare=pretrained, bases=("mlp", "mlp-regression", "cnn"), proof=Proof.NATURE,
          line="load_state_dict"),
    Fault("repeated-layer", {"one": "product", "two": "loop"}, repeated_layer,
          prepare=deep_and_narrow, bases=("mlp", "mlp-regression"), line=r"\* \d|layers|hidden"),
)
