"""The data sets of the generated programs: source text that yields `X` and `y` as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Data:
    """A data set as the program's own lines, which may draw from `rng`.

    `size` counts the samples, `shape` is the shape of one. `outputs` is how many numbers the
    network gives; `reads` says what they are: a class by its largest output ("argmax"), a class by
    its sign ("sign"), or the targets' own values ("value"). `curved` marks targets that no linear
    function reaches. `tokens` is the size of the vocabulary, 0 where the inputs are numbers.
    """

    name: str
    size: int
    shape: tuple[int, ...]
    outputs: int
    reads: str
    text: str
    imports: str = ""
    curved: bool = False
    tokens: int = 0


def _sklearn(name: str) -> str:
    return f"from sklearn.datasets import {name}"


TABLES = (
    Data("digits", 1797, (64,), 10, "argmax", "X, y = load_digits(return_X_y=True)\nX = X / 16",
         _sklearn("load_digits")),
    Data("wine-like", 1500, (12,), 4, "argmax",
         "X, y = make_classification(\n"
         "    1500, n_features=12, n_informative=8, n_classes=4, n_clusters_per_class=2,\n"
         "    class_sep=1.6, flip_y=0.0, random_state={seed})",
         _sklearn("make_classification"), curved=True),
    Data("circles", 1200, (2,), 1, "sign",
         "X, y = make_circles(1200, noise=0.08, factor=0.5, random_state={seed})",
         _sklearn("make_circles"), curved=True),
    Data("moons", 1200, (2,), 2, "argmax",
         "X, y = make_moons(1200, noise=0.12, random_state={seed})",
         _sklearn("make_moons"), curved=True),
    Data("cancer", 569, (30,), 1, "sign", "X, y = load_breast_cancer(return_X_y=True)",
         _sklearn("load_breast_cancer")),
    Data("chessboard", 1600, (2,), 4, "argmax",
         "X = rng.uniform(-1, 1, (1600, 2))\n"
         "y = 2 * (X[:, 0] * X[:, 1] > 0) + (np.hypot(X[:, 0], X[:, 1]) > 0.75)", curved=True),
)
FUNCTIONS = (
    Data("friedman", 1500, (10,), 1, "value",
         "X, y = make_friedman1(1500, noise=0.5, random_state={seed})", _sklearn("make_friedman1"),
         curved=True),
    Data("circuit", 1200, (4,), 1, "value",
         "X, y = make_friedman2(1200, noise=20.0, random_state={seed})",
         _sklearn("make_friedman2"), curved=True),
    Data("waves", 1500, (3,), 1, "value",
         "X = rng.uniform(-2, 2, (1500, 3))\n"
         "y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(1500)",
         curved=True),
    Data("plane", 1000, (15,), 1, "value",
         "X, y = make_regression(1000, 15, n_informative=10, noise=10.0, random_state={seed})",
         _sklearn("make_regression")),
)
IMAGES = (
    Data("digits", 1797, (1, 8, 8), 10, "argmax",
         "X, y = load_digits(return_X_y=True)\nX = X.reshape(-1, 1, 8, 8) / 16",
         _sklearn("load_digits")),
    Data("shapes", 500, (3, 12, 12), 4, "argmax",
         "y = rng.integers(0, 4, 500)\n"
         "shapes = np.zeros((4, 5, 5))  # plus, cross, frame, bars\n"
         "shapes[0, 2], shapes[0, :, 2] = 1, 1\n"
         "shapes[1] = np.maximum(np.eye(5), np.eye(5)[::-1])\n"
         "shapes[2] = np.pad(np.zeros((3, 3)), 1, constant_values=1)\n"
         "shapes[3, ::2] = 1\n"
         "X = 0.7 * rng.random((500, 12, 12, 3))  # as image files are read: channels last\n"
         "for image, label in zip(X, y):\n"
         "    top, left = rng.integers(0, 8, 2)\n"
         "    colour = rng.uniform(0.3, 1, 3)\n"
         "    image[top:top + 5, left:left + 5] += shapes[label][:, :, None] * colour\n"
         "{arrange}", curved=True),
    Data("stripes", 800, (1, 10, 10), 4, "argmax",
         "rows, columns = np.mgrid[:10, :10]\n"
         "y = rng.integers(0, 4, 800)\n"
         "along = np.stack([rows, columns, rows + columns, rows - columns])[y]\n"
         "phase = rng.integers(0, 4, (800, 1, 1))\n"
         "X = ((along + phase) % 4 < 2) + 0.4 * rng.standard_normal(along.shape)\n"
         "X = X[:, None]", curved=True),
)
SEQUENCES = (
    Data("digit-rows", 1797, (8, 8), 10, "argmax",
         "X, y = load_digits(return_X_y=True)\nX = X.reshape(-1, 8, 8) / 16",
         _sklearn("load_digits")),
    Data("tones", 900, (20, 1), 3, "argmax",
         "y = rng.integers(0, 3, 900)\n"
         "time, phase = np.arange(20), rng.uniform(0, 6.28, (900, 1))\n"
         "X = np.sin(np.array([0.35, 0.8, 1.4])[y][:, None] * time + phase)\n"
         "X = (X + 0.2 * rng.standard_normal(X.shape))[:, :, None]", curved=True),
    Data("sums", 1200, (10, 2), 1, "value",
         "X = rng.standard_normal((1200, 10, 2))\n"
         "y = (X[:, -3:, 0] * (X[:, -3:, 1] > 0)).sum(1) + 0.05 * rng.standard_normal(1200)",
         curved=True),
)
TOKENS = (
    Data("digit-rows", 1797, (8, 8), 10, "argmax",
         "X, y = load_digits(return_X_y=True)\nX = X.reshape(-1, 8, 8) / 16",
         _sklearn("load_digits")),
    Data("majority", 1500, (9,), 4, "argmax",
         "X = rng.integers(0, 4, (1500, 9))\n"
         "y = np.array([np.bincount(row, minlength=4).argmax() for row in X])", tokens=4),
    Data("first-sign", 1500, (10,), 3, "argmax",
         "X = rng.integers(3, 12, (1500, 10))\n"
         "y = rng.integers(0, 3, 1500)\n"
         "X[np.arange(1500), rng.integers(0, 10, 1500)] = y", tokens=12),
)
PATTERNS = (
    Data("digits", 1797, (64,), 64, "value", "X, y = load_digits(return_X_y=True)\nX = X / 16",
         _sklearn("load_digits")),
    Data("factors", 1200, (30,), 30, "value",
         "X = np.tanh(rng.standard_normal((1200, 4)) @ rng.standard_normal((4, 30)))\n"
         "X = X + 0.05 * rng.standard_normal(X.shape)\n"
         "y = np.zeros(len(X))"),
    Data("curves", 1000, (32,), 32, "value",
         "time, speed, phase = np.linspace(0, 1, 32), rng.uniform(3, 8, (1000, 1)), "
         "rng.uniform(0, 3, (1000, 1))\n"
         "X = np.sin(speed * time + phase)\n"
         "y = np.zeros(len(X))"),
)
