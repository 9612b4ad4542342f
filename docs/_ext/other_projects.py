"""Links from types to the documentation of Python, numpy, torch and dimod, through intersphinx, without a network.

Intersphinx takes inventories from the web when a site is built. Those made here hold the names that qproj's API has,
with their places, from docs/other-projects.toml.
"""

import tomllib
import zlib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

PLACES = Path(__file__).parents[1] / "other-projects.toml"


def inventory(name: str, places: dict[str, str]) -> bytes:
    """Return a Sphinx inventory, version 2, of classes at these places below the project's address."""
    head = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n# The remainder is compressed with zlib.\n"
    lines = "".join(f"{thing} py:class 1 {place} -\n" for thing, place in places.items())
    return head.encode() + zlib.compress(lines.encode())


def _write(app: Sphinx, config: Config) -> None:
    folder = Path(app.doctreedir) / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    for name, project in tomllib.loads(PLACES.read_text()).items():
        file = folder / f"{name}.inv"
        file.write_bytes(inventory(name, project["names"]))
        config.intersphinx_mapping[name] = (project["url"], str(file))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx; intersphinx checks its configuration after this."""
    app.setup_extension("sphinx.ext.intersphinx")
    app.connect("config-inited", _write, priority=100)
    return {"parallel_read_safe": True}
