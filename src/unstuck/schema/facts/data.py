"""Where data come from: loaders, what is taken from them, samples that are kept."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.calls import CallRole
from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Loader(Fact):
    """A data loader of the program.

    `generators` names the random generators that its workers draw from and that each starts in
    the same state: copies, or global ones that its worker_init_fn seeds by the same number, at
    `seeded`. `unread` says that it is not known what that function makes of them, or whether
    samples are drawn from those that it seeds. `weights` is how many weights its sampler draws
    by, `draws` how many samples that draws an epoch; both are None if it does not say. `built`
    is where the sampler was constructed, and `made` the expression that made the data set.
    Where the length of that is a division, at `counted`, `length` is what it says and `stored`
    how many things the data set holds that it fetches one by one. `planned` is how many samples
    a sampler of batches of the program's own holds the numbers of, and `batches` what it goes
    over to make them. `whole` says that what is left of the samples behind the last whole batch
    is dropped.
    """

    name: str
    location: SourceLocation | None
    batch_size: int | None
    sampler: str
    samples: int | None
    workers: int
    generators: tuple[str, ...] = ()
    weights: int | None = None
    draws: int | None = None
    built: SourceLocation | None = None
    made: SourceLocation | None = None
    stored: int | None = None
    length: int | None = None
    counted: SourceLocation | None = None
    seeded: SourceLocation | None = None
    unread: bool = False
    planned: int | None = None
    batches: SourceLocation | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Fetch(Fact):
    """A line at which training takes data from a loader. `name` is its number."""

    name: str
    location: SourceLocation | None
    samples: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class Remade(Fact):
    """Training gets the batch of the step before in a tensor that is made anew.

    `location` is the expression that seeds, in each step, a generator that samples are picked by.
    """

    name: str  # of the model that gets it
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Feeding(Fact):
    """A place at which the program iterates a loader, and what its batches are for.

    `location` is the expression that is iterated: `loader` in `for x, y in loader`.
    """

    name: str
    loader: str  # its name
    role: CallRole
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class Kept(Fact):
    """Samples of one role that are kept for the checks of data and labels at the end of the run."""

    name: str  # "train" or "held-out"
    # Of held-out data the first call on those that are judged, of training data the number in the
    # text that says how many there are.
    location: SourceLocation | None
    samples: int  # held-out ones count only if they are judged
    discrete: bool  # integers (tokens, identifiers) or booleans
    indexed: bool  # matched to their indices in a data set
    targets: str = ""  # "classes" or "numbers"; "" where no loss received one a sample
    composed: bool = False  # a model receives more at a time than was kept


@dataclass(frozen=True, slots=True)
class HeldOutPass(Fact):
    """A line that calls a model on held-out data with layers in train mode.

    It is the innermost line that training does not go through; the model itself may be called
    further in, at `call`. Or the line drops units although the model is in eval mode: `anew`.
    """

    name: str
    location: SourceLocation | None
    layers: tuple[str, ...]
    scored: bool  # a loss was computed of what came out
    anew: bool = False
    call: SourceLocation | None = None
