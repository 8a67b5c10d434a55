"""The display of domains shows the rows of each class and domain, before and after."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_dl.datasets import make_shifted
from sklearn_dl.domain_adaptation import CORAL, DomainStandardScaler, SourceOnly
from sklearn_dl.plotting import DomainDisplay

pytest.importorskip("matplotlib").use("Agg")
X, y, domain = make_shifted(40, 30, shift="subspace", n_features=5, random_state=0)
CORAL_ = CORAL().fit(X, sample_domain=domain)


def test_points_are_the_principal_components_of_each_class_and_domain():
    display = DomainDisplay.from_estimator(CORAL_, X, y, sample_domain=domain)
    mapped = CORAL_.transform(X, sample_domain=domain)
    points = [PCA(2, random_state=0).fit_transform(rows) for rows in (X, mapped)]
    expected = [
        panel[rows & (y == label)]
        for panel in points
        for label in (0, 1)
        for rows in (domain > 0, domain < 0)
    ]
    assert len(display.points_) == 8
    for drawn, rows in zip(display.points_, expected, strict=True):
        np.testing.assert_allclose(drawn.get_offsets(), rows, atol=1e-9)
    assert [ax.get_title() for ax in display.axes_] == ["before", "after CORAL"]


def test_without_classes_colours_are_domains():
    display = DomainDisplay.from_estimator(CORAL_, X, sample_domain=domain)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert sorted(texts) == ["source", "target"]


def test_pipelines_are_drawn_through_all_their_maps():
    given = {f"{name}__sample_domain": domain for name in ("domainstandardscaler", "coral", "sourceonly")}
    pipeline = make_pipeline(DomainStandardScaler(), CORAL(), SourceOnly()).fit(X, y, **given)
    display = DomainDisplay.from_estimator(pipeline, X, y, sample_domain=domain)
    assert display.ax_.get_title() == "after DomainStandardScaler and CORAL"


def test_t_sne_and_axes_of_one_s_own():
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2)
    display = DomainDisplay.from_estimator(CORAL_, X, y, sample_domain=domain, projection="tsne", axes=axes)
    assert display.ax_ is axes[1]
    display = DomainDisplay(None, X[:, :2], domain, y=y).plot()
    assert len(display.axes_) == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"projection": "umap"}, ValueError, "projection must be 'pca' or 'tsne'"),
        ({"sample_domain": domain[:-1]}, ValueError, "70 rows of X"),
        ({"axes": [None]}, ValueError, "must hold 2 Axes"),
    ],
)
def test_wrong_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        DomainDisplay.from_estimator(CORAL_, X, **{"sample_domain": domain, **change})


def test_estimators_without_a_map_are_named():
    with pytest.raises(TypeError, match="needs an estimator with transform; got LogisticRegression"):
        DomainDisplay.from_estimator(LogisticRegression().fit(X, y), X, sample_domain=domain)
