"""Solvers around other solvers: polish, refine, fall back, isolate."""
