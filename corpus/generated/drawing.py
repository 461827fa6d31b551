"""Healthy programs: data, width, depth, optimizer, rate and the rest drawn inside what works."""

from __future__ import annotations

import random
from dataclasses import dataclass

from corpus.generated import data
from corpus.generated.data import Data
from corpus.generated.program import Program


@dataclass(frozen=True, slots=True)
class Base:
    """What may be varied in a kind of program without breaking it."""

    name: str
    datas: tuple[Data, ...]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    activations: tuple[str, ...]
    steps: int
    batches: tuple[int, ...] = (16, 32, 64)
    norms: tuple[bool, ...] = (False,)
    dropouts: tuple[float, ...] = (0.0,)
    slower: float = 1.0  # a factor on the range of rates


# Ranges of the rate in which networks of this size learn within the steps that they are given:
# (optimizer, momentum, lowest, highest).
RATES = (
    ("Adam", 0.0, 0.002, 0.006), ("AdamW", 0.0, 0.002, 0.006), ("RMSprop", 0.0, 0.0008, 0.002),
    ("SGD", 0.9, 0.02, 0.06), ("SGD", 0.9, 0.02, 0.06), ("SGD", 0.0, 0.15, 0.3),
)
BASES = (
    Base("mlp", data.TABLES, (32, 48, 64, 128), (1, 2, 3), ("ReLU", "Tanh", "GELU", "LeakyReLU"),
         900, norms=(False, False, True), dropouts=(0.0, 0.0, 0.1, 0.2)),
    Base("mlp-regression", data.FUNCTIONS, (32, 64, 96), (2, 3), ("ReLU", "Tanh", "ELU", "SiLU"),
         1000, slower=0.7),
    Base("cnn", data.IMAGES, (8, 12, 16), (2, 3), ("ReLU", "LeakyReLU", "GELU"), 450,
         norms=(False, True), dropouts=(0.0, 0.0, 0.1)),
    Base("gru", data.SEQUENCES, (24, 32, 48), (1,), ("ReLU", "Tanh", "GELU"), 450,
         batches=(32, 64)),
    Base("transformer", data.TOKENS, (16, 32), (1,), ("ReLU", "GELU"), 500, batches=(32, 64),
         slower=0.6),
    Base("autoencoder", data.PATTERNS, (64, 96, 128), (2, 3), ("ReLU", "ELU", "Tanh"), 900,
         slower=0.8),
)


def draw(base: Base, name: str) -> Program:
    """A healthy program of a kind. The same name gives the same program."""
    dice = random.Random(f"{base.name} {name}")
    source = dice.choice(base.datas)
    optimizer, momentum, low, high = dice.choice(RATES)
    if base.name in ("transformer", "autoencoder", "gru") and optimizer == "SGD":
        optimizer, momentum, low, high = RATES[0]  # plain descent is too slow for them
    depth = dice.choice(base.depths)
    if source.name == "chessboard":
        depth = max(2, depth)
    return Program(
        base=base.name, data=source, loop=dice.choice(("loader", "rows", "functions")),
        width=dice.choice(base.widths), depth=depth, activation=dice.choice(base.activations),
        norm=dice.choice(base.norms), dropout=dice.choice(base.dropouts), optimizer=optimizer,
        rate=base.slower * low * (high / low) ** dice.random(), momentum=momentum,
        weight_decay=dice.choice((0.0, 0.0, 1e-4)), batch=dice.choice(base.batches),
        steps=base.steps, seed=dice.randrange(1000), reads=source.reads,
    )
