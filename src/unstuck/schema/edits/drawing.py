"""Changes of how samples are drawn: from which, how many, how often, by which random numbers."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit
from unstuck.schema.places import SourceLocation
from unstuck.words import count


@dataclass(frozen=True, slots=True)
class SeedOnce(Edit):
    """Seed the random numbers once, and not in each step. `at` is the call that seeds."""

    at: SourceLocation | None

    def words(self) -> str:
        return "seed the random numbers once, before the loop"

    def code(self) -> str:
        return "generator = torch.Generator().manual_seed(seed)  # once, before the loop"


@dataclass(frozen=True, slots=True)
class SeedByWorker(Edit):
    """Seed a worker of a loader by its own number. `at` is the call that seeds all alike."""

    at: SourceLocation | None

    def words(self) -> str:
        return "seed each worker by the number that PyTorch gives it, another one in each epoch"

    def code(self) -> str:
        return "np.random.seed(torch.initial_seed() % 2**32)"


@dataclass(frozen=True, slots=True)
class SeedCopies(Edit):
    """Give each worker of a loader a generator of its own in the place of its copy.

    `at` is the construction of the loader, `generator` the attribute of its data set.
    """

    at: SourceLocation | None
    generator: str

    def words(self) -> str:
        return f"give {self.generator} another seed in each worker"

    def code(self) -> str:
        return (f"get_worker_info().dataset.{self.generator} = "
                "np.random.default_rng(torch.initial_seed())  # in a worker_init_fn")


@dataclass(frozen=True, slots=True)
class DrawFromAll(Edit):
    """Draw the rows of a batch from all rows of a variable. `at` is the call that receives them."""

    at: SourceLocation | None
    variable: str

    def words(self) -> str:
        return f"draw the rows of a batch from all rows of {self.variable}"

    def code(self) -> str:
        return f"torch.randperm(len({self.variable}))"


@dataclass(frozen=True, slots=True)
class WeightPerSample(Edit):
    """Give a weighted sampler the weight of each sample's class. `at` constructs the sampler."""

    at: SourceLocation | None
    weights: int  # that it has now, one a class

    def words(self) -> str:
        return "give each sample the weight of its class"

    def code(self) -> str:
        return "WeightedRandomSampler([weights[label] for label in labels], len(labels))"


@dataclass(frozen=True, slots=True)
class MoreSamples(Edit):
    """Take more training samples. `at` is the number in the text that says how many are taken."""

    at: SourceLocation | None
    samples: int

    def words(self) -> str:
        return f"take up to {count(self.samples, 'training sample')}"

    def code(self) -> str:
        return f"x_train[:{self.samples}]"


@dataclass(frozen=True, slots=True)
class FetchEachStep(Edit):
    """Take a new batch in each step. `at` takes the one batch that is used in all of them."""

    at: SourceLocation | None

    def words(self) -> str:
        return "take a new batch in each step"

    def code(self) -> str:
        return "for inputs, targets in loader: ..."


@dataclass(frozen=True, slots=True)
class CopySample(Edit):
    """Take a copy of a stored sample, so that nothing done to it changes what is stored.

    `at` takes a sample from where it is stored: `self.images[i]`. `method` is "clone" of a tensor,
    "copy" of an array.
    """

    at: SourceLocation | None
    method: str

    def words(self) -> str:
        return "fetch a copy of the stored sample"

    def code(self) -> str:
        return f"x = self.samples[index].{self.method}()"
