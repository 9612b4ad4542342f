"""Arrays to BQMs and CQMs: one file an encoding, each a function from merged rows to an :class:`Encoding`."""

from __future__ import annotations

from qproj.encodings.columns import Columns
from qproj.encodings.constrained import OneSided, constrained, one_sided
from qproj.encodings.encoding import Encoding, Verification, decode
from qproj.encodings.majority import MajorityShape, majority, majority_of
from qproj.encodings.margin import margin
from qproj.encodings.paper import paper
from qproj.encodings.quadratic import spin_quadratic
from qproj.encodings.rows import Rows
from qproj.encodings.sampled import SampledModel
from qproj.encodings.unbalanced import unbalanced

__all__ = [
    "Columns",
    "Encoding",
    "MajorityShape",
    "OneSided",
    "Rows",
    "SampledModel",
    "Verification",
    "constrained",
    "decode",
    "majority",
    "majority_of",
    "margin",
    "one_sided",
    "paper",
    "spin_quadratic",
    "unbalanced",
]
