"""Quantum annealing simulated from Schrödinger's equation (``schrodinger``): closed, or with dephasing."""

from __future__ import annotations

from qproj_dynamics.schrodinger import Schrodinger

__all__ = ["Schrodinger"]
