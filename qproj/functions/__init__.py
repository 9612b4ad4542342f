"""Functions of latent weights, and the optimisers on them in numpy: where convergence can be proved and measured."""

from qproj.functions.minimize import METHODS, minimize
from qproj.functions.rate import Rate, measure_rate
from qproj.functions.smooth import Function, logistic, quadratic, rosenbrock

__all__ = ["METHODS", "Function", "Rate", "logistic", "measure_rate", "minimize", "quadratic", "rosenbrock"]
