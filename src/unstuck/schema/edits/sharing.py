"""One object where several were meant: layers, state dicts, optimizers, networks."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class BuildEach(Edit):
    """A layer of its own for each place. `at` is the expression that repeats one layer."""

    at: SourceLocation | None

    def words(self) -> str:
        return "build a new layer for each place"

    def code(self) -> str:
        return "nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])"


@dataclass(frozen=True, slots=True)
class LoadKeys(Edit):
    """Load a state dict under the names that the module has. `at` is the call that loads it.

    `strip` is taken off the keys of what lies under the key `item`, and `add` put in front.
    """

    at: SourceLocation | None
    strip: str = ""
    add: str = ""
    item: str | None = None

    def words(self) -> str:
        parts = [f"load what lies under the key {self.item!r}"] if self.item is not None else []
        if self.strip:
            parts.append(f"take the prefix {self.strip!r} off the keys")
        if self.add:
            parts.append(f"put the prefix {self.add!r} in front of the keys")
        return " and ".join(parts) or "load the keys that the module has"

    def code(self) -> str:
        return f"model.load_state_dict({self.given('state')})"

    def given(self, state: str) -> str:
        """The expression that is loaded in place of `state`."""
        if self.item is not None:
            state = f'{state}["{self.item}"]'
        if not (self.strip or self.add):
            return state
        key = f'k.removeprefix("{self.strip}")' if self.strip else "k"
        key = f'"{self.add}" + {key}' if self.add else key
        return f"{{{key}: v for k, v in {state}.items()}}"


@dataclass(frozen=True, slots=True)
class CopyState(Edit):
    """Keep a copy of a state dict. `at` is the call that takes it."""

    at: SourceLocation | None

    def words(self) -> str:
        return "keep a copy of the state dict"

    def code(self) -> str:
        return "best = copy.deepcopy(model.state_dict())"


@dataclass(frozen=True, slots=True)
class BuildOnce(Edit):
    """Build an optimizer before the loops that build it again. `at` is its construction.

    With `model` what it is built of is built there too.
    """

    at: SourceLocation | None
    model: bool = False

    def words(self) -> str:
        what = "model and optimizer" if self.model else "the optimizer"
        return f"build {what} once, before the loop"

    def code(self) -> str:
        return "optimizer = Adam(model.parameters())  # before the loop over epochs"


@dataclass(frozen=True, slots=True)
class CopyNetwork(Edit):
    """Make a second name a network of its own. `at` is the name that it is assigned from."""

    at: SourceLocation | None

    def words(self) -> str:
        return "make the second network a copy"

    def code(self) -> str:
        return "target = copy.deepcopy(net)"


@dataclass(frozen=True, slots=True)
class Follow(Edit):
    """Let a copy of a network follow it slowly. `copy` and `online` are calls of the two."""

    copy: SourceLocation | None
    online: SourceLocation | None

    def words(self) -> str:
        return "let the target network follow the trained one, by 1 % of the way at each step"

    def code(self) -> str:
        return "target.load_state_dict(net.state_dict())  # every few hundred steps"


@dataclass(frozen=True, slots=True)
class MaskEnds(Edit):
    """Leave the value of the next state out where the variable `ends` says so.

    `at` is the expression that makes the targets, a reward plus a discounted value, and `factor`
    one that is 0 at ends and 1 elsewhere, where "{}" stands for the value. `also` is another such
    expression, for a sum that is made of both.
    """

    at: SourceLocation | None
    ends: str
    factor: str
    also: SourceLocation | None = None

    def words(self) -> str:
        return "leave out the value of the next state at the end of an episode"

    def code(self) -> str:
        return "target = reward + gamma * (1 - done) * next_value"
