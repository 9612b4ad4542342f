"""Secrets are removed from all output: messages, logs, exceptions, stores, reports.

Known values go wherever they stand: those of environment variables whose names speak of secrets, and those that
:func:`remember` was called with. Besides, whatever stands after ``token=`` and the like, and what looks like a token.
"""

from __future__ import annotations

import logging
import os
import re
from typing import IO, Any

HIDDEN = "…"
_NAMES = re.compile(r"(?i)(token|secret|password|passwd|credential|api_?key|access_?key|licenseid)")
#: name = value, name: value, with or without quotes; Authorization headers; D-Wave's tokens.
_PATTERNS = (
    re.compile(
        r"(?i)((?:x-auth-)?(?:token|secret|password|passwd|credential|api[_-]?key|access[_-]?key)[\"']?\s*[=:]\s*[\"']?)"
        r"([^\s\"',;)}\]&]{6,})"
    ),
    re.compile(r"(?i)(authorization[\"']?\s*[=:]\s*[\"']?(?:bearer|basic)?\s*|bearer\s+)([A-Za-z0-9._~+/=-]{8,})"),
    re.compile(r"()\b([A-Za-z]{2,8}-[0-9a-f]{32,})\b"),
)
#: Shorter values are words that occur anyway.
_SHORTEST = 8
_known: set[str] = set()


def remember(secret: object) -> None:
    """Hide this value from now on, wherever it stands."""
    if isinstance(secret, str) and len(secret) >= _SHORTEST:
        _known.add(secret)


def redact(text: str) -> str:
    """Return the text without secrets; each is replaced by "…"."""
    named = {value for name, value in os.environ.items() if len(value) >= _SHORTEST and _NAMES.search(name)}
    for value in sorted(_known | named, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: match[1] + HIDDEN, text)
    return text


def scrub(error: BaseException) -> None:
    """Take secrets out of an exception's texts, and out of those that led to it, in place."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if any(isinstance(part, str) and redact(part) != part for part in current.args):
            current.args = tuple(redact(part) if isinstance(part, str) else part for part in current.args)
        if isinstance(current, OSError):  # which prints its fields, not its arguments
            for field in ("errno", "strerror", "filename"):
                if isinstance(value := getattr(current, field), str):
                    setattr(current, field, redact(value))
        notes = getattr(current, "__notes__", None)
        if notes:
            current.__notes__ = [redact(note) for note in notes]
        todo += [current.__cause__, current.__context__]


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        clean = redact(text)
        if clean != text:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None:
            scrub(record.exc_info[1])
        return True


def logger() -> logging.Logger:
    """Return the logger "qproj", whose records are redacted."""
    log = logging.getLogger("qproj")
    if not any(isinstance(known, _Filter) for known in log.filters):
        log.addFilter(_Filter())
    return log


class RedactedStream:
    """A text stream that hides secrets in its output."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redact(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
