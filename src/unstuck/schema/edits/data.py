"""Changes of the data: their scale, their order, their batches."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit, literal
from unstuck.schema.places import SourceLocation
from unstuck.words import count, number


@dataclass(frozen=True, slots=True)
class NormaliseInputs(Edit):
    """Standardise what the model's first layer receives, by statistics of the training data."""

    def words(self) -> str:
        return ("standardise each input feature with the mean and standard deviation of the "
                "training data")

    def code(self) -> str:
        return "x = (x - x_train.mean(0)) / x_train.std(0).clamp_min(1e-8)"


@dataclass(frozen=True, slots=True)
class NormaliseTargets(Edit):
    """Standardise the targets of a regression, by statistics of the training data."""

    def words(self) -> str:
        return ("standardise the targets with the mean and standard deviation of the training "
                "targets")

    def code(self) -> str:
        return "y = (y - y_train.mean(0)) / y_train.std(0)  # undo it for predictions"


@dataclass(frozen=True, slots=True)
class PrepareAlike(Edit):
    """Prepare held-out inputs as training inputs are.

    `trained` are the places that make other numbers of training inputs only, `held_out` those of
    held-out inputs only, the last first. `variable` holds the held-out inputs, if it is known.
    `built` are the places that make a data set of the ones, and of the others.
    """

    trained: tuple[SourceLocation, ...]
    held_out: tuple[SourceLocation, ...]
    variable: str | None = None
    built: tuple[SourceLocation, SourceLocation] | None = None

    def words(self) -> str:
        return "prepare the held-out inputs as the training inputs"

    def code(self) -> str:
        return "x_train = scaler.fit_transform(x_train)\nx_val = scaler.transform(x_val)"


@dataclass(frozen=True, slots=True)
class ShuffleFirst(Edit):
    """Put the samples in a random order before they are split into two sets."""

    def words(self) -> str:
        return "shuffle the samples before they are split"

    def code(self) -> str:
        return "order = torch.randperm(len(x))\nx, y = x[order], y[order]  # before the split"


@dataclass(frozen=True, slots=True)
class SplitInOrder(Edit):
    """Split the samples in the order that they have. `at` splits them at random, or draws that."""

    at: SourceLocation | None

    def words(self) -> str:
        return "split the samples in their order, not at random"

    def code(self) -> str:
        return "train_test_split(x, y, shuffle=False)"


@dataclass(frozen=True, slots=True)
class SplitFirst(Edit):
    """Split the samples before copies of them are made, and make copies of the training part only.
    """

    def words(self) -> str:
        return "split first, and make copies of the training samples only"

    def code(self) -> str:
        return ("x_train, x_test, y_train, y_test = train_test_split(x, y)\n"
                "x_train, y_train = oversample(x_train, y_train)")


@dataclass(frozen=True, slots=True)
class SplitOnce(Edit):
    """Take the training and the held-out samples from one random order, not each from its own."""

    def words(self) -> str:
        return "draw one random order, and take both parts from it"

    def code(self) -> str:
        return ("order = torch.randperm(len(x))\n"
                "train, valid = order[:n], order[n:]")


@dataclass(frozen=True, slots=True)
class DropCopies(Edit):
    """Keep the first of equal samples. `at` splits them, else makes the data set of training."""

    at: SourceLocation | None
    split: bool = False  # before they are split

    def words(self) -> str:
        return "keep each sample only once" + (", before they are split" if self.split else "")

    def code(self) -> str:
        return ("first = np.sort(np.unique(x, axis=0, return_index=True)[1])\n"
                "x, y = x[first], y[first]")


@dataclass(frozen=True, slots=True)
class BatchSize(Edit):
    """Another number of samples per step."""

    size: int

    def words(self) -> str:
        return f"train on batches of {count(self.size, 'sample')}"

    def code(self) -> str:
        return f"DataLoader(train_set, batch_size={self.size}, shuffle=True)"


@dataclass(frozen=True, slots=True)
class Shuffle(Edit):
    """Draw the training samples in a new random order in each epoch. `at` makes the batches."""

    at: SourceLocation | None

    def words(self) -> str:
        return "shuffle the training samples in each epoch"

    def code(self) -> str:
        return "DataLoader(train_set, batch_size=..., shuffle=True)"


@dataclass(frozen=True, slots=True)
class WholeLength(Edit):
    """The number of samples as the length of a data set. `at` divides it, within `__len__`."""

    at: SourceLocation | None

    def words(self) -> str:
        return "return the number of samples as the length of the data set"

    def code(self) -> str:
        return "return len(self.samples)"


@dataclass(frozen=True, slots=True)
class DropLast(Edit):
    """Leave out the last batch of an epoch if it is smaller than the others."""

    at: SourceLocation | None

    def words(self) -> str:
        return "drop an incomplete last batch"

    def code(self) -> str:
        return "DataLoader(..., drop_last=True)"


@dataclass(frozen=True, slots=True)
class ReplaceMissing(Edit):
    """Zeros for NaN and Inf in what the model receives."""

    def words(self) -> str:
        return "replace NaN and Inf in the inputs with 0"

    def code(self) -> str:
        return "x = torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)"


@dataclass(frozen=True, slots=True)
class Impute(Edit):
    """Medians in the place of a number that stands for missing ones, in what the model receives.

    `medians` are those of each feature along the last axis, or one for all.
    """

    value: float
    medians: tuple[float, ...]

    def words(self) -> str:
        return f"replace {number(self.value)} in the inputs with the median of the feature"

    def code(self) -> str:
        return f"x = torch.where(x == {self.value!r}, median, x)"


@dataclass(frozen=True, slots=True)
class KeepFractions(Edit):
    """Divide, or convert, without rounding to whole numbers."""

    at: SourceLocation | None

    def words(self) -> str:
        return "keep the fractions of the inputs"

    def code(self) -> str:
        return "x = x / 255  # not x // 255"


@dataclass(frozen=True, slots=True)
class InvertChoice(Edit):
    """Keep the numbers that a condition replaces, and replace those that it keeps."""

    at: SourceLocation | None

    def words(self) -> str:
        return "invert which inputs are replaced"

    def code(self) -> str:
        return "x = np.where(missing, 0, x)  # not np.where(missing, x, 0)"


@dataclass(frozen=True, slots=True)
class ClampInputs(Edit):
    """Bounds for what the model receives, such as quantiles of the training data."""

    low: float
    high: float

    def words(self) -> str:
        return f"clip the inputs to {number(self.low)} to {number(self.high)}"

    def code(self) -> str:
        return f"x = x.clamp({literal(self.low)}, {literal(self.high)})"


@dataclass(frozen=True, slots=True)
class SwapAxes(Edit):
    """Swap the first two axes, in place of a view that gives the shape and leaves the numbers.

    `at` is the call of view or reshape. With an `order` it stays, and the axes of what it gets are
    put in that order before.
    """

    at: SourceLocation | None
    order: tuple[int, ...] = ()

    def words(self) -> str:
        if self.order:
            return "put the axes in order before the reshape"
        return "swap the first two axes instead of viewing them in another shape"

    def code(self) -> str:
        if self.order:
            return f"x = x.permute{self.order}.reshape(shape)  # in place of the view"
        return "x = x.transpose(0, 1)  # in place of the view"


@dataclass(frozen=True, slots=True)
class MoveChannels(Edit):
    """Move the channels to the front, in place of a reshape to channels first.

    `at` is the last place where the images or series get a shape, if it is known.
    """

    shape: tuple[int, ...]  # channels, height, width; or channels, steps
    at: SourceLocation | None = None

    def words(self) -> str:
        return "move the channels to the front instead of reshaping the " + (
            "series" if len(self.shape) == 2 else "images")

    def code(self) -> str:
        if len(self.shape) == 2:
            return "x = x.permute(0, 2, 1)  # from (N, T, C), in place of view/reshape"
        return "x = x.permute(0, 3, 1, 2)  # from (N, H, W, C), in place of view/reshape"


@dataclass(frozen=True, slots=True)
class WholeSlices(Edit):
    """Cut batches of a whole size: to a size behind their first row, and not to that row."""

    def words(self) -> str:
        return "cut each batch from its first row on"

    def code(self) -> str:
        return "x[i:i + size]  # in place of x[i:size]"


@dataclass(frozen=True, slots=True)
class TransformTogether(Edit):
    """Transform the input and the target of a sample with the same random numbers.

    `at` is where one of the two is transformed.
    """

    at: SourceLocation | None

    def words(self) -> str:
        return "transform both with the same random numbers"

    def code(self) -> str:
        return "image, mask = transform(torch.stack([image, mask]))"


@dataclass(frozen=True, slots=True)
class SortClasses(Edit):
    """Number the classes in the order of their sorted names, not in that of the data."""

    def words(self) -> str:
        return "number the classes of all data in the order of their sorted names"

    def code(self) -> str:
        return "index = {name: i for i, name in enumerate(sorted(set(names)))}"


@dataclass(frozen=True, slots=True)
class CountRight(Edit):
    """Count right predictions as they are; `how` they are counted wrongly is a `Counting`.

    `at` is the comparison or the division. `half` is the output from which on a single one means
    the second class.
    """

    at: SourceLocation | None
    how: str
    half: float = 0.0

    def words(self) -> str:
        return "count the right predictions"

    def code(self) -> str:
        return {
            "column": f"(outputs.squeeze(1) > {literal(self.half)}) == labels",
            "rounded": f"(outputs > {literal(self.half)}) == labels",
            "twice": "(outputs > 0.5) == labels",
            "pairs": "outputs.squeeze(1) == labels", "axis": "outputs.argmax(dim=1) == labels",
            "all": "targets - outputs.reshape(targets.shape)",
            "batches": "correct / len(loader.dataset)",
        }.get(self.how, "correct += (outputs.argmax(dim=1) == labels).sum().item()")


@dataclass(frozen=True, slots=True)
class OrderTogether(Edit):
    """One order for inputs and targets.

    The places are where the order of each alone is drawn, or where it is put into one or split.
    """

    inputs: tuple[SourceLocation, ...]
    targets: tuple[SourceLocation, ...]

    def words(self) -> str:
        return "put inputs and targets into one order"

    def code(self) -> str:
        return "order = torch.randperm(len(x)); x, y = x[order], y[order]"


@dataclass(frozen=True, slots=True)
class OneLoader(Edit):
    """Inputs and targets from one loader, in the place of two that each draw an order."""

    def words(self) -> str:
        return "draw inputs and targets from one loader"

    def code(self) -> str:
        return "DataLoader(TensorDataset(x, y), batch_size=..., shuffle=True)"


@dataclass(frozen=True, slots=True)
class FillWithMedian(Edit):
    """Medians of the columns, where the program fills in one number for all missing ones."""

    def words(self) -> str:
        return "fill in the median of each feature where values are missing"

    def code(self) -> str:
        return "x = np.where(np.isnan(x), np.nanmedian(x_train, axis=0), x)"
