"""Sphinx configuration. `make docs` builds with warnings as errors; notebooks run at build time."""

import importlib.metadata
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "adapters"), str(ROOT / "docs" / "_ext")]

project = "qproj"
author = "The qproj developers"
copyright = "The qproj developers, Apache-2.0"
release = importlib.metadata.version("qproj")
version = release.split(".dev")[0]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.katex",
    "sphinx_copybutton",
    "myst_nb",
    "alt_texts",
    "api_pages",
    "checks_page",
    "cli_page",
    "evidence_pages",
    "layers",
    "notebooks",
    "other_projects",
    "plain_attributes",
    "plain_text",
    "schema_pages",
    "social",
    "solver_pages",
]
exclude_patterns = ["_build", "conftest.py", "reference/generated/*.ipynb"]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext"}
nitpicky = False
# ref.python: a type such as `Problem` is named without its path, and has an entry in more than one room.
suppress_warnings = ["misc.highlighting_failure", "ref.python"]

# Pages -----------------------------------------------------------------------------------------
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
# What a link to a page shows elsewhere; docs/_ext/social.py adds title, address and picture.
ABOUT = importlib.metadata.metadata("qproj")["Summary"]
myst_html_meta = {
    "description lang=en": ABOUT,
    "property=og:site_name": "qproj",
    "property=og:type": "website",
    "property=og:description": ABOUT,
    "name=twitter:card": "summary_large_image",
}
# Execution failures fail the build; outputs are cached between builds.
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "docs" / "_build" / "jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True

# API -------------------------------------------------------------------------------------------
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # fields of a NamedTuple are members already
python_use_unqualified_type_names = True

# HTML ------------------------------------------------------------------------------------------
html_theme = "furo"
html_title = f"qproj {version}"
html_static_path = ["_static"]
html_show_sphinx = False
html_baseurl = os.environ.get("QPROJ_DOCS_URL", "")  # where the site is served, if it is
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]

# Formulas are drawn by KaTeX (MIT) without a network: the extension brings its script, _static its style and fonts.
katex_css_path = "katex/katex.min.css"
# A copied command has no prompt and no output.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
