"""Configuration of the documentation; `make docs` builds it."""

import doctest
import os

from docutils import nodes

import sklearn_dl

# One thread a process, so that the gallery's figures do not depend on the machine that draws them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "sklearn_dl"
author = "The sklearn_dl developers"
copyright = "2026, The sklearn_dl developers (BSD-3-Clause)"
version = release = sklearn_dl.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
default_role = "literal"

# Inherited docstrings refer to scikit-learn's glossary and guide, which are not part of these pages.
suppress_warnings = ["ref.term", "ref.ref"]

autosummary_generate = True
autodoc_typehints = "none"  # the numpydoc sections say more than the annotations
numpydoc_show_class_members = False  # the class template lists them

doctest_global_setup = "import os, tempfile; os.chdir(tempfile.mkdtemp())"
# sphinx's own flags, and white space that does not count, as in scikit-learn, whose functions are listed too.
doctest_default_flags = (
    doctest.ELLIPSIS
    | doctest.IGNORE_EXCEPTION_DETAIL
    | doctest.DONT_ACCEPT_TRUE_FOR_1
    | doctest.NORMALIZE_WHITESPACE
)

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"quickstart\.py",
    "abort_on_example_error": True,
    "show_memory": False,
    "plot_gallery": True,
    "doc_module": ("sklearn_dl",),
    "backreferences_dir": "generated/examples",
    "default_thumb_file": None,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_dl"
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "getting_started": [], "design": [], "changelog": []}

# Labels of scikit-learn's documentation that inherited docstrings refer to. The inventory of all its labels
# would need the network at each build.
SCIKIT_LEARN_LABELS = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "df_output_transform": "modules/df_output_transform.html",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score-the-coefficient-of-determination",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def link_to_scikit_learn(app, env, node, contnode):
    page = SCIKIT_LEARN_LABELS.get(node["reftarget"])
    if page is None:
        return None
    return nodes.reference("", "", contnode, refuri=f"https://scikit-learn.org/stable/{page}")


def setup(app):
    app.connect("missing-reference", link_to_scikit_learn)
