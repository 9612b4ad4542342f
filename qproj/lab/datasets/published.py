"""The data sets: where their published files are, how they are read, and the SHA-256 of every file's content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.lab.datasets.idx import read_idx
from qproj.lab.datasets.libsvm import read_libsvm
from qproj.lab.datasets.planetoid import PARTS, read_planetoid

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class PublishedFile:
    """One file as published: its role in the set, its name, addresses, and SHA-256 of its unpacked content.

    `sha256` is None where the content is only known through the parsed arrays, whose fingerprint is pinned.
    """

    role: str
    name: str
    urls: tuple[str, ...]
    sha256: str | None


@dataclass(frozen=True)
class Published:
    """A data set that is downloaded, or found in the user's folder.

    Attributes
    ----------
    name, about : str
    folder : str
        Its folder below QPROJ_DATA_DIR.
    ready : tuple of str
        Plain npz files in that folder that hold the parsed arrays already.
    files : tuple of PublishedFile
    parse : callable
        Published files by role → arrays.
    gather : callable
        Contents of the ready files, in their order → arrays.
    alternative : str
        What needs no download.
    """

    name: str
    about: str
    folder: str
    ready: tuple[str, ...]
    files: tuple[PublishedFile, ...]
    parse: Callable[[Mapping[str, Path]], Arrays]
    gather: Callable[[list[Arrays]], Arrays]
    alternative: str


_ADULT_FEATURES = 123


def _adult(files: Mapping[str, Path]) -> Arrays:
    arrays: Arrays = {}
    for part in ("train", "test"):
        X, y = read_libsvm(files[part], num_features=_ADULT_FEATURES)
        if not (np.isin(y, (-1, 1)).all() and (X.data == 1).all()):
            raise ValueError(f"{files[part]} has labels other than ±1 or values other than 1; fetch it again")
        arrays[f"X_{part}"], arrays[f"y_{part}"] = X.toarray().astype(np.uint8), y.astype(np.int8)
    return arrays


def _mnist(files: Mapping[str, Path]) -> Arrays:
    arrays = {role: read_idx(path) for role, path in files.items()}
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            raise ValueError(f"MNIST's {part} files have shapes {images.shape} and {labels.shape}; fetch them again")
    return arrays


def _gather_mnist(parts: list[Arrays]) -> Arrays:
    return {
        f"{part}_{kind}": arrays[kind]
        for part, arrays in zip(("train", "test"), parts, strict=True)
        for kind in ("images", "labels")
    }


def _only(parts: list[Arrays]) -> Arrays:
    return parts[0]


_LIBSVM = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/"
_GITHUB = "https://raw.githubusercontent.com/"
_MNIST_HOSTS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://yann.lecun.com/exdb/mnist/",
)
_PLANETOID = "af6abf468a772cc055bec88c52e4d6f51b7c37e3"
_PLANETOID_HOSTS = (
    f"{_GITHUB}kimiyoung/planetoid/{_PLANETOID}/data/",
    f"https://cdn.jsdelivr.net/gh/kimiyoung/planetoid@{_PLANETOID}/data/",
    f"https://github.com/kimiyoung/planetoid/raw/{_PLANETOID}/data/",
)


def _mnist_file(role: str, name: str, sha256: str) -> PublishedFile:
    return PublishedFile(role, name, tuple(host + name for host in _MNIST_HOSTS), sha256)


_GRAPH_HASHES: dict[str, tuple[str | None, ...]] = {
    "cora": (
        "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
        "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
        "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
        "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
        "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
        "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
        "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
        "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    ),
    "citeseer": (
        "d20de19150741e555de0ed037195630fc194114ebc7fd72ced62810148aa22f6",
        "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924",
        "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21",
        "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce",
        "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668",
        "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95",
        "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7",
        "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4",
    ),
    "pubmed": (
        "fbe9cb5c47200d1b7769a26e579be3b7130b556831f9d850e77c4c74f2599b33",
        "e6c807633307a07ed659249006536a147c7999c797f11a2560752990181b41b3",
        "4eb5f5d0f30f26497eb0ac6ac9719d09c67e284f1ed0385c93f3ef27a671da3d",
        "ee2e0d4819d9fbcc403689c3bf2e49face401b605932f093bc58ab6461130fdd",
        None,  # pinned through the parsed features, which are bit-exact
        "0c37bbe3b5014ec365e9d393cf4791925e5ed94fb194305d74f064a8d7b50f0e",
        "5b89f0036ca22909471f1e6558eb42fa06e0c730a577bde5b058b40638f81dc9",
        "b101d421688bbaecbd82e8a18f1e282378d6830f3a37666f28ebc47f844341b5",
    ),
}


def _graph(name: str, about: str) -> Published:
    files = []
    for part, sha256 in zip(PARTS, _GRAPH_HASHES[name], strict=True):
        file = f"ind.{name}.{part}"
        files.append(PublishedFile(part, file, tuple(host + file for host in _PLANETOID_HOSTS), sha256))
    return Published(
        name=name, about=about, folder="graphs", ready=(f"{name}.npz",), files=tuple(files), parse=read_planetoid,
        gather=_only, alternative="load_karate() is a graph that needs no download",
    )  # fmt: skip


PUBLISHED: dict[str, Published] = {
    "a1a": Published(
        name="a1a",
        about="Adult (census income), 1605 + 30956 rows, 123 binary features, 2 classes",
        folder="adult",
        ready=(),
        files=(
            PublishedFile(
                "train",
                "a1a",
                (_LIBSVM + "a1a", f"{_GITHUB}LIBOL/SOL/37f2b02a11823eabae2624997a3ee0094e4198b8/data/a1a"),
                "eb54c45f1bdb51286f803dd092eb8202b44637a858fc6c4e533a2d64a0d94b4e",
            ),
            PublishedFile(
                "test",
                "a1a.t",
                (
                    _LIBSVM + "a1a.t",
                    f"{_GITHUB}HeJingweiFoward/SVM/5792304fc04fee3750a11b4fad6905e605c7e4d2/DataSet/a1a.t",
                ),
                "0212d0c4a3996fe6fb6a0ab54033d9f4fa4b60369b6e3bb141821d9ffc40c04d",
            ),
        ),
        parse=_adult,
        gather=_only,
        alternative="load_breast_cancer() is a two-class set that needs no download",
    ),
    "mnist": Published(
        name="mnist",
        about="MNIST, 60000 + 10000 images of 28×28 pixels, 10 classes",
        folder="mnist",
        ready=("mnist_train.npz", "mnist_test.npz"),
        files=(
            _mnist_file(
                "train_images",
                "train-images-idx3-ubyte.gz",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            _mnist_file(
                "train_labels",
                "train-labels-idx1-ubyte.gz",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            _mnist_file(
                "test_images",
                "t10k-images-idx3-ubyte.gz",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            _mnist_file(
                "test_labels",
                "t10k-labels-idx1-ubyte.gz",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        parse=_mnist,
        gather=_gather_mnist,
        alternative="load_digits() has 1797 smaller digits and needs no download",
    ),
    "cora": _graph("cora", "Cora citations, 2708 nodes, 1433 binary features, 7 classes"),
    "citeseer": _graph("citeseer", "CiteSeer citations, 3327 nodes, 3703 binary features, 6 classes"),
    "pubmed": _graph("pubmed", "PubMed citations, 19717 nodes, 500 TF-IDF features, 3 classes"),
}
