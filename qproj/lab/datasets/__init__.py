"""Data sets as published, checked and cached, and layers captured from training on them."""

from qproj.lab.datasets.captured import Capture, capture_layers
from qproj.lab.datasets.catalogue import CatalogueEntry, catalogue, load_tabular
from qproj.lab.datasets.graphs import Graph, load_karate, load_planetoid
from qproj.lab.datasets.idx import read_idx
from qproj.lab.datasets.instances import LayerInstance, read_instances, save_instances
from qproj.lab.datasets.libsvm import read_libsvm
from qproj.lab.datasets.qubo import Qubo, load_qubo, qubo_names
from qproj.lab.datasets.retrieve import DataUnavailableError
from qproj.lab.datasets.sources import layer_instances
from qproj.lab.datasets.tabular import Tabular, load_adult, load_breast_cancer, load_digits, load_mnist

__all__ = [
    "Capture",
    "CatalogueEntry",
    "DataUnavailableError",
    "Graph",
    "LayerInstance",
    "Qubo",
    "Tabular",
    "capture_layers",
    "catalogue",
    "layer_instances",
    "load_adult",
    "load_breast_cancer",
    "load_digits",
    "load_karate",
    "load_mnist",
    "load_planetoid",
    "load_qubo",
    "load_tabular",
    "qubo_names",
    "read_idx",
    "read_instances",
    "read_libsvm",
    "save_instances",
]
