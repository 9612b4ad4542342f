"""Rows and labels with a fixed split, and the scikit-learn sets that need no download."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import frozen
from qproj._extras import install_hint
from qproj.lab.datasets.fingerprint import require_fingerprint
from qproj.lab.datasets.retrieve import load_arrays


@dataclass(frozen=True, eq=False)
class Tabular:
    """A data set of rows, split in three; arrays are read-only.

    Attributes
    ----------
    name : str
    X_train, X_val, X_test : (n, d) arrays
    y_train, y_val, y_test : (n,) int64
        Classes from 0 on.
    num_classes : int
    threshold : float or (d,) array
        Above it a feature counts as +1 in :meth:`signs`.
    """

    name: str
    X_train: NDArray[Any]
    y_train: NDArray[np.int64]
    X_val: NDArray[Any]
    y_val: NDArray[np.int64]
    X_test: NDArray[Any]
    y_test: NDArray[np.int64]
    num_classes: int
    threshold: Any

    @property
    def num_features(self) -> int:
        """The number d of columns."""
        return int(self.X_train.shape[1])

    def signs(self, threshold: ArrayLike | None = None) -> Tabular:
        """Return the set with int8 features: +1 where x > threshold (one number, or one a feature), else −1."""
        cut = self.threshold if threshold is None else np.asarray(threshold, np.float64)
        parts: dict[str, Any] = {
            part: frozen(np.where(getattr(self, part) > cut, 1, -1).astype(np.int8))
            for part in ("X_train", "X_val", "X_test")
        }
        return replace(self, **parts, threshold=0.0)

    def only(self, *classes: int) -> Tabular:
        """Return the rows of the given classes, relabelled 0, 1, … in the order given.

        Raises ValueError for fewer than two classes, repeated ones, or ones that do not occur.
        """
        if len(classes) < 2 or len(set(classes)) < len(classes) or not set(classes) <= set(range(self.num_classes)):
            raise ValueError(f"classes are {classes}; choose two or more of 0…{self.num_classes - 1}")
        new = np.full(self.num_classes, -1, np.int64)
        new[list(classes)] = np.arange(len(classes))
        parts: dict[str, Any] = {}
        for part in ("train", "val", "test"):
            labels = new[getattr(self, f"y_{part}")]
            parts[f"X_{part}"] = frozen(getattr(self, f"X_{part}")[labels >= 0])
            parts[f"y_{part}"] = frozen(labels[labels >= 0])
        name = f"{self.name}-{'-'.join(map(str, classes))}"
        return replace(self, **parts, name=name, num_classes=len(classes))

    def __repr__(self) -> str:
        rows = "/".join(str(len(x)) for x in (self.X_train, self.X_val, self.X_test))
        return f"Tabular({self.name!r}, rows={rows}, features={self.num_features}, classes={self.num_classes})"


def split_rows(
    name: str, X: NDArray[Any], y: NDArray[Any], *, threshold: Any, val: int, test: int = 0,
    given_test: tuple[NDArray[Any], NDArray[Any]] | None = None, seed: int = 0,
) -> Tabular:  # fmt: skip
    """Return a set split at random (one seed gives one split); `given_test` is a test set that was published."""
    if seed < 0:
        raise ValueError(f"seed is {seed}; it has to be 0 or more")
    order = np.random.default_rng(seed).permutation(len(X))
    held, valid, train = order[:test], order[test : test + val], order[test + val :]
    X_test, y_test = given_test if given_test is not None else (X[held], y[held])
    classes = int(max(y.max(), y_test.max())) + 1

    def labels(array: NDArray[Any]) -> NDArray[np.int64]:
        return frozen(array.astype(np.int64))

    return Tabular(
        name=name, X_train=frozen(X[train]), y_train=labels(y[train]), X_val=frozen(X[valid]), y_val=labels(y[valid]),
        X_test=frozen(np.array(X_test)), y_test=labels(y_test), num_classes=classes, threshold=threshold,
    )  # fmt: skip


def load_digits(*, seed: int = 0) -> Tabular:
    """Return scikit-learn's 1797 digits of 8×8 pixels 0…16 (uint8), split 60/20/20 % at random; offline.

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    """
    X, y = _scikit("digits")
    pixels = X.astype(np.uint8)
    require_fingerprint("digits", {"X": pixels, "y": y.astype(np.int64)})
    return split_rows("digits", pixels, y, threshold=7.5, val=360, test=360, seed=seed)


def load_breast_cancer(*, seed: int = 0) -> Tabular:
    """Return the Wisconsin breast cancer set, 569 rows of 30 real features (1 = benign), split 60/20/20 %; offline.

    The threshold of each feature is its median over the training rows.

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    """
    X, y = _scikit("breast_cancer")
    require_fingerprint("breast-cancer", {"X": X.astype(np.float64), "y": y.astype(np.int64)})
    data = split_rows("breast-cancer", X.astype(np.float64), y, threshold=0.0, val=114, test=114, seed=seed)
    return replace(data, threshold=np.median(data.X_train, axis=0))


def load_adult(name: str = "a1a", *, seed: int = 0) -> Tabular:
    """Return Adult (census income) as LIBSVM's "a1a": 123 binary features (uint8), 1605 training and 30956 test rows.

    Class 1 is an income above 50K. A fifth of the training rows, drawn at random, is the validation set.

    Raises
    ------
    ValueError
        Another name, or damaged files in QPROJ_DATA_DIR.
    DataUnavailableError
        Not on this machine and not to be downloaded.
    """
    if name != "a1a":
        raise ValueError(f"name is {name!r}; 'a1a' is there (its test file holds the other rows of a9a)")
    arrays = load_arrays(name)
    y, y_test = ((arrays[f"y_{part}"] == 1).astype(np.int64) for part in ("train", "test"))
    given = (arrays["X_test"], y_test)
    return split_rows(name, arrays["X_train"], y, threshold=0.5, val=321, given_test=given, seed=seed)


def load_mnist(*, seed: int = 0) -> Tabular:
    """Return MNIST, 784 pixels (uint8) a row; 10000 of the 60000 training rows, drawn at random, are for validation.

    Raises
    ------
    ValueError
        Damaged files in QPROJ_DATA_DIR.
    DataUnavailableError
        Not on this machine and not to be downloaded.
    """
    arrays = load_arrays("mnist")
    train, test = (arrays[f"{part}_images"].reshape(-1, 784) for part in ("train", "test"))
    given = (test, arrays["test_labels"])
    return split_rows("mnist", train, arrays["train_labels"], threshold=127.5, val=10000, given_test=given, seed=seed)


def _scikit(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(f"scikit-learn is not installed; it brings this data: {install_hint('data')}") from None
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return np.asarray(X), np.asarray(y)
