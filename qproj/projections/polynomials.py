"""Polynomials of higher degree (HUBO) as BQMs, by dimod's reduction; the penalty carries its proof."""

from __future__ import annotations

import dimod
from dimod.higherorder.polynomial import BinaryPolynomial
from dimod.higherorder.utils import make_quadratic


def bqm_of_polynomial(polynomial: BinaryPolynomial) -> dimod.BinaryQuadraticModel:
    """Return a BINARY model whose minimum over its auxiliary variables is the polynomial's, at the same assignment.

    dimod replaces products of two variables by auxiliary ones, "x*y", with a penalty of at least M where one is wrong.
    All wrong ones together change the objective by at most Σ|c| over the terms of degree above 2, so M = 1.5 Σ|c| makes
    the reduction exact. Spins become 2x − 1. An assignment of the polynomial is the part of the model's on its own
    variables; the labels of the auxiliary ones contain "*".

    Examples
    --------
    >>> polynomial = dimod.BinaryPolynomial({"abc": -1.0, "a": 0.25}, "BINARY")
    >>> float(dimod.ExactSolver().sample(bqm_of_polynomial(polynomial)).first.energy)
    -0.75
    """
    binary = polynomial if polynomial.vartype is dimod.BINARY else polynomial.to_binary()
    strength = 1.5 * sum(abs(float(bias)) for term, bias in binary.items() if len(term) > 2)
    bqm: dimod.BinaryQuadraticModel = make_quadratic(binary, strength or 1.0, dimod.BINARY)
    for v in binary.variables:
        bqm.add_linear(v, 0.0)
    return bqm
