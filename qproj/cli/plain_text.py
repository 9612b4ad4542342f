"""Text for terminals that cannot show every letter: Greek letters and mathematical signs in plain words of ASCII."""

from __future__ import annotations

import codecs
import sys
from typing import Any, TextIO

#: What stands for a sign that an encoding lacks; all others become "?".
_PLAIN = {
    "±": "+-", "−": "-", "–": "-", "—": "-", "×": "x", "·": "*", "∈": "in", "∂": "d", "‖": "||", "∞": "inf",
    "≥": ">=", "≤": "<=", "≈": "~", "→": "->", "∇": "grad ", "Σ": "sum ", "σ": "sigma", "τ": "tau", "κ": "kappa",
    "λ": "lambda", "µ": "u", "μ": "u", "ᵀ": "^T", "ⁿ": "^n", "²": "^2", "³": "^3", "…": "...", "•": "*", "─": "-",
    "━": "-", "│": "|", "“": '"', "”": '"', "’": "'", "‘": "'", "⟨": "<", "⟩": ">", "°": " degrees", "ä": "ae",
    "ö": "oe", "ü": "ue", "é": "e",
}  # fmt: skip
#: The name under which :func:`_replace` is known to codecs.
HANDLER = "qproj.plain"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in signs), error.end


codecs.register_error(HANDLER, _replace)


def show_everything() -> None:
    """Let stdout and stderr write any text: what their encoding lacks is written in ASCII, and nothing raises."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)


def can_show(text: str, stream: TextIO | Any) -> bool:
    """Tell whether a stream's encoding has every letter of a text."""
    try:
        text.encode(_encoding(stream))
    except UnicodeEncodeError:
        return False
    return True


def plain(text: str, stream: TextIO | Any) -> str:
    """Return a text as the stream will show it, so that its width can be measured."""
    encoding = _encoding(stream)
    return text.encode(encoding, HANDLER).decode(encoding)


def _encoding(stream: TextIO | Any) -> str:
    return getattr(stream, "encoding", None) or "utf-8"
