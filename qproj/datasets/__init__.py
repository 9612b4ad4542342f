"""Data sets as published, checked and cached, and layers captured from training on them."""

from qproj.datasets.capture import Capture, capture_layers
from qproj.datasets.instances import LayerInstance, read_instances, save_instances
from qproj.datasets.sources import layer_instances
from qproj.datasets.tabular import Tabular, load_breast_cancer, load_digits

__all__ = [
    "Capture",
    "LayerInstance",
    "Tabular",
    "capture_layers",
    "layer_instances",
    "load_breast_cancer",
    "load_digits",
    "read_instances",
    "save_instances",
]
