"""Sphinx's configuration for the site. `make site` copies this file next to the pages and builds
them.

Pages load nothing from other sites: the theme includes its own fonts and scripts, and formulas are
MathML, which every browser displays without a script.
"""

from __future__ import annotations

from typing import Any

from docutils.utils.math.latex2mathml import tex2mathml

project = html_title = "Chat Completions: A Hands-On Course"
project_copyright = "Code: MIT. Text, figures and recordings: CC BY 4.0"
extensions = ["myst_nb"]
nitpicky = True

nb_execution_mode = "off"  # show the committed outputs
nb_render_markdown_format = "myst"
nb_code_prompt_show = "Predict first. Then show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_enable_extensions = ["dollarmath"]
myst_dmath_allow_digits = False  # "$5 or $6" is money
myst_heading_anchors = 4

myst_heading_slug_func = "reading_site.anchor"

html_theme = "pydata_sphinx_theme"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
html_theme_options: dict[str, Any] = {
    "navigation_with_keys": False,  # the arrow keys scroll wide tables and code instead
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 4,
    "navbar_persistent": [
        "search-button"
    ],  # the screen-reader name of the wider logo differs from what it shows
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Pages without sections do not need an empty column.
html_sidebars = {
    "index": [],
    "search": [],
    "genindex": [],
    "notebooks/glossary": [],
}
html_use_index = False


def setup(app: Any) -> None:
    """Called by Sphinx: render formulas as MathML."""
    app.add_html_math_renderer("mathml", (_in_line, None), (_block, None))


def _in_line(writer: Any, node: Any) -> None:
    _write(writer, node, block=False)


def _block(writer: Any, node: Any) -> None:
    _write(writer, node, block=True)


def _write(writer: Any, node: Any, *, block: bool) -> None:
    from docutils.nodes import SkipNode

    formula = tex2mathml(node.astext(), as_block=block)
    # On a phone, a formula may be wider than the page. Let the keyboard scroll it.
    around = (
        '<div class="formula" role="group" aria-label="formula" tabindex="0">{}</div>'
        if block
        else "{}"
    )
    writer.body.append(around.format(formula))
    raise SkipNode


html_math_renderer = "mathml"
