"""The documentation as a site: `sphinx-build -W docs site`. Needs the extra `docs`; asks no other host for anything."""

from unmask import __version__

project = "Unmask"
release = __version__
html_title = f"Unmask {release}"
html_theme = "furo"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["report"]  # a page of its own, which is linked as it is
myst_heading_anchors = 4
napoleon_use_ivar = True
autodoc_member_order = "groupwise"
default_role = "code"  # what single backticks mean in docstrings
html_copy_source = False
html_show_copyright = False
