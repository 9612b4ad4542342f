"""Heuristic and exact searches on plain arrays: no Problem, no Solution, no validation beyond shapes."""
