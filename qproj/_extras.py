"""The command that adds an optional part to the installation at hand."""

from __future__ import annotations

from pathlib import Path


def install_hint(*extras: str) -> str:
    """Return the command that installs extras: editable where qproj runs from a checkout.

    >>> install_hint("torch").startswith("pip install")
    True
    """
    wanted, root = ",".join(extras), Path(__file__).resolve().parents[1]
    if not (root / "pyproject.toml").is_file():
        return f'pip install "qproj[{wanted}]"'
    try:
        here = Path.cwd().resolve() == root
    except OSError:  # the working folder was deleted
        here = False
    return f'pip install -e "{"." if here else root}[{wanted}]"'
