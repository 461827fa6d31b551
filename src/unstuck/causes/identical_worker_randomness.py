"""Identical worker randomness: every loader worker draws the same numbers from its own copy."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.edits import Remedy, Safety
from unstuck.findings import Absent, Evidence, Present, Verdict
from unstuck.signals import COPIED_GENERATORS
from unstuck.words import joined

COPIES = Threshold(
    "copied-generators", 1.0,
    "One generator that all workers copy is enough to repeat what is drawn from it.",
    "by definition",
)


def _detect(view: View) -> Verdict:
    if not view.has(COPIED_GENERATORS):
        return Absent("no loader has several workers without a worker_init_fn")
    counts = view[COPIED_GENERATORS]
    guilty = [
        loader for loader in view.facts.loaders
        if loader.name in counts and loader.generators
        and float(counts[loader.name].values[-1]) >= view.limit(COPIES)
    ]
    if not guilty:
        return Absent("no worker draws from a generator that the others have a copy of")
    loader = guilty[0]
    names = joined(loader.generators)
    series = counts[loader.name]
    first = next((name for name in loader.generators if name.isidentifier()), "rng")
    return Present(
        strength=0.9,
        title=f"{loader.workers} workers draw from identical copies of {names}: their random "
        "numbers are the same",
        since_step=0,
        location=loader.location,
        label=f"each worker starts from the same state of {names}",
        evidence=(Evidence(
            COPIED_GENERATORS.name, loader.name, tuple(int(s) for s in series.steps),
            tuple(float(v) for v in series.values), view.limit(COPIES),
            f"the code that fetches samples draws from {names}; {loader.workers} workers each "
            "get a copy in the same state, and no worker_init_fn seeds it anew"),),
        remedies=(
            Remedy("seed each worker's generator", Safety.ADVICE,
                   advice="Give the loader a worker_init_fn that puts a generator of the same "
                   "kind, seeded by torch.initial_seed(), in place of each copy.",
                   code_text="def reseed(worker):\n    get_worker_info().dataset."
                   f"{first} = np.random.default_rng(torch.initial_seed())\n\n"
                   "DataLoader(..., worker_init_fn=reseed)"),
            Remedy("draw from torch's global generator", Safety.ADVICE,
                   advice="Draw with torch.rand, torch.randn or torch.randint without a "
                   "generator: every worker has these seeded differently.",
                   code_text="torch.randn(6)  # each worker has a seed of its own"),
        ),
    )


CAUSE = Cause(
    slug="identical-worker-randomness",
    code="P017",
    title="Identical worker randomness",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The training loss goes down as usual, but augmentation or simulated samples help "
        "less than they should; looked at closely, the same random numbers come again and again.",
        consequence="With n workers there are n times fewer different draws than it seems, and "
        "unless workers persist the same draws come back every epoch: the network fits them.",
        why="A loader's workers are copies of the process with the data set. A generator object "
        "in it is copied with its state, so that all workers draw the same numbers, and the "
        "original never advances. Only the global generators of torch, numpy and random are "
        "seeded anew in each worker.",
        detection="When a loader with two workers or more and without a worker_init_fn is "
        "built, its data set, transforms and collate function are searched for generators: in "
        "attributes, in the globals of their code and in closures. One counts if the program's "
        "own code that fetches samples mentions it, and neither replaces it, nor seeds it, nor "
        "asks which worker it runs in.",
        limitations="Generators inside installed packages, and those deep in nested objects, "
        "are not found. A worker_init_fn is trusted, even one that gives all workers one seed. "
        "Any seeding in the fetching code, of whatever generator, is taken for the cure.",
        references=(
            "PyTorch: Data loading, randomness in multi-process data loading",
            "NumPy: Parallel random number generation",
        ),
    ),
    needs=(),
    uses=(COPIED_GENERATORS,),
    thresholds=(COPIES,),
    explains=("learning-rate-too-low", "learning-rate-too-high", "same-batch-every-step",
              "overfitting", "not-shuffled"),
    detect=_detect,
)
