"""Linear models: least squares, penalised regression, classification, stochastic gradient descent."""

__all__: list[str] = []
