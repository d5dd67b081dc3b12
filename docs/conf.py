"""How the site is built: ``sphinx-build -W -b html docs build/site``, with the extra ``docs``."""

import os
import re

from docutils import nodes
from math_core import LatexToMathML

import mjx_msk

os.environ.setdefault("MUJOCO_GL", "disabled")  # nothing is drawn here

project = "mjx-msk"
author = "The mjx-msk developers"
copyright = "The mjx-msk developers, Apache-2.0"
release = mjx_msk.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_mock_imports = ["ray", "gymnasium"]  # nothing of theirs is described
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "mjx-msk"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"  # in the page itself: no network and no script, unlike MathJax
TO_MATHML = LatexToMathML().convert_with_local_state
html_copy_source = False
html_show_sphinx = False


def inline(visitor, node):
    """Write an equation within a line."""
    visitor.body.append(TO_MATHML(node.astext(), displaystyle=False))
    raise nodes.SkipNode


def displayed(visitor, node):
    """Write an equation on a line of its own."""
    block = TO_MATHML(node.astext(), displaystyle=True)
    visitor.body.append(f'<div class="math">{block}</div>')
    raise nodes.SkipNode


def chapters(app, name, source):
    """Make the index's headings and the pages that its tables link to the site's navigation."""
    if name != "index":
        return
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", source[0], re.M | re.S):
        if pages := re.findall(r"^\| \[.+?\]\((.+?)\.(?:md|rst)\)", text, re.M):
            tree = ["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *pages, "```", ""]
            source[0] += "\n".join(tree)


def code(app, what, name, obj, options, lines):
    """Mark what a docstring indents by four blanks as code, which reST wants to be told."""
    for i in reversed(range(1, len(lines))):
        before = next((line for line in reversed(lines[:i]) if line), "")
        if lines[i].startswith("    ") and not lines[i - 1] and not before.startswith("    "):
            lines[i:i] = ["::", ""]


def signature(app, what, name, obj, options, arguments, returns):
    """Write three dots where a dataclass makes a default anew, so that the line can be parsed."""
    return (arguments or "").replace("<factory>", "...") or None, returns


def setup(app):
    """Tell Sphinx of all this."""
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    app.connect("source-read", chapters)
    app.connect("autodoc-process-docstring", code)
    app.connect("autodoc-process-signature", signature)
