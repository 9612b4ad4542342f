"""The environment of a study: versions, processor, command line; never tokens."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
from importlib import metadata
from typing import Any

from qproj.solvers.redact import redact

#: Packages whose versions change results.
PACKAGES = (
    "qproj", "numpy", "scipy", "dimod", "dwave-samplers", "ortools", "numba", "highspy", "gurobipy", "pyscipopt",
    "dwave-system", "minorminer", "qiskit", "qiskit-aer", "scikit-learn",
)  # fmt: skip
_SECRET = re.compile(r"(?i)(token|key|secret|password|passwd|credential)")


def environment(seeds: list[int] | None = None) -> dict[str, Any]:
    """Return versions, machine and command line as plain values; what follows a word like "token" is left out."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "versions": versions,
        "command": redacted_command(sys.argv),
        "seeds": seeds or [],
    }


def redacted_command(arguments: list[str]) -> str:
    """Return a command line without anything that looks like a secret."""
    shown, hide_next = [os.path.basename(arguments[0])] if arguments else [], False
    for argument in arguments[1:]:
        if hide_next:
            shown.append("…")
            hide_next = False
        elif _SECRET.search(argument):
            name, equals, _ = argument.partition("=")
            shown.append(f"{name}=…" if equals else name)
            hide_next = not equals and argument.startswith("-")
        else:
            shown.append(argument)
    return redact(" ".join(shown))


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
