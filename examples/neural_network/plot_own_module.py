"""
How do I use my own torch module?
=================================

:class:`~sklearn_dl.neural_network.NeuralNetClassifier` makes a scikit-learn classifier of any
``torch.nn.Module``. This page writes a convolutional network for 8 x 8 images of digits, searches its width,
and looks at what it confuses.
"""

# %%
# The module takes images of shape (n_samples, n_channels, height, width) and gives a logit for each class.
# ``n_channels`` and ``n_outputs`` are filled in from the data.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, train_test_split
from torch import nn

from sklearn_dl.neural_network import NeuralNetClassifier


class SmallConvNet(nn.Module):
    """Two convolutions, each followed by pooling, and a linear layer."""

    def __init__(self, n_channels, n_outputs, n_filters=8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(n_channels, n_filters, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(n_filters, 2 * n_filters, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * n_filters * 2 * 2, n_outputs),
        )

    def forward(self, images):
        return self.layers(images)


X, y = load_digits(return_X_y=True)
images = X.reshape(-1, 1, 8, 8)
images_train, images_test, y_train, y_test = train_test_split(images, y, random_state=0, stratify=y)

# %%
# The arguments of the module are in ``module_params``, where a search can vary them beside the parameters of
# the training.

search = GridSearchCV(
    NeuralNetClassifier(SmallConvNet, max_epochs=15, random_state=0),
    {"module_params": [{"n_filters": 4}, {"n_filters": 16}], "lr": [1e-3, 1e-2]},
    cv=3,
)
search.fit(images_train, y_train)
print(f"best: {search.best_params_}, cross-validated accuracy {search.best_score_:.3f}")

# %%
# The best network, fitted on all training rows, on the test rows.

net = search.best_estimator_
print(f"{net.count_parameters()} parameters, test accuracy {net.score(images_test, y_test):.3f}")
ConfusionMatrixDisplay.from_estimator(net, images_test, y_test, colorbar=False)
plt.show()
