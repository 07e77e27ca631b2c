"""How Sphinx builds the site: `python -m scripts.docs_site`, which lays out the pages first."""

from polylambda import __version__

project = "polylambda"
author = "the authors of polylambda"
copyright = author  # noqa: A001 # Sphinx's name
release = version = __version__
root_doc = "index"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autoclass_content = "both"
default_role = "code"  # as Markdown has it, in docstrings too

highlight_language = "text"
html_theme = "furo"
html_title = f"polylambda {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"sidebar_hide_name": False}
pygments_style = "friendly"
pygments_dark_style = "monokai"
toc_object_entries_show_parents = "hide"
