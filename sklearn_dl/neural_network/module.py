"""Any torch module as an estimator."""

from torch import Tensor, nn

from sklearn_dl._base.any_module import AnyModule
from sklearn_dl._base.inputs import ArrayInput
from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor, TorchTransformer
from sklearn_dl.nn import MLP


class NeuralNetClassifier(ArrayInput, AnyModule, TorchClassifier):
    """Any torch module whose outputs are class logits, as a classifier.

    Its outputs are logits, of shape (n_samples, n_classes): no softmax at its end. With
    ``loss=torch.nn.NLLLoss`` they are log-probabilities.

    See Also
    --------
    MLPClassifier : A network for tables that needs no module.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> from sklearn_dl.neural_network import NeuralNetClassifier
    >>> def network(n_features, n_outputs):
    ...     return nn.Sequential(nn.Linear(n_features, 32), nn.Tanh(), nn.Linear(32, n_outputs))
    >>> X, y = load_iris(return_X_y=True)
    >>> NeuralNetClassifier(network, random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """


class NeuralNetRegressor(ArrayInput, AnyModule, TorchRegressor):
    """Any torch module whose outputs are real values, as a regressor.

    Its outputs have shape (n_samples, n_targets), or (n_samples,) for one target. With ``standardize=True``
    they are fitted to standardised targets, so the module needs no care for units.

    See Also
    --------
    MLPRegressor : A network for tables that needs no module.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from torch import nn
    >>> from sklearn_dl.neural_network import NeuralNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = NeuralNetRegressor(nn.Linear, module_params={"bias": True}, lr=0.01, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.4
    True
    """


class NeuralNetTransformer(ArrayInput, AnyModule, TorchTransformer):
    """Any torch module that gives back its input, such as an autoencoder, as a transformer.

    A module with methods ``encode`` and ``decode`` gives its features in ``transform`` and takes them in
    ``inverse_transform``; of a module without them, ``transform`` gives the outputs. The default module is
    an :class:`Autoencoder` with two components.

    See Also
    --------
    sklearn.decomposition.PCA : The linear case.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dl.neural_network import NeuralNetTransformer
    >>> X, _ = load_iris(return_X_y=True)
    >>> NeuralNetTransformer(random_state=0).fit_transform(X).shape
    (150, 2)
    """

    @staticmethod
    def _default_module(n_features: int, n_outputs: int) -> nn.Module:
        return Autoencoder(n_features)


class Autoencoder(nn.Module):
    """Dense encoder to `n_components` values, and its mirror image (Hinton, Salakhutdinov, 2006)."""

    def __init__(
        self, n_features: int, n_components: int = 2, hidden_layer_sizes: tuple[int, ...] = (64,)
    ) -> None:
        super().__init__()
        self.encode = MLP(n_features, n_components, hidden_layer_sizes)
        self.decode = MLP(n_components, n_features, hidden_layer_sizes[::-1])

    def forward(self, X: Tensor) -> Tensor:
        """Rows given back, of shape (n_samples, n_features)."""
        return self.decode(self.encode(X))
