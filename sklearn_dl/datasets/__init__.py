"""Data sets, made."""

from sklearn_dl.datasets.shifted import make_shifted

__all__ = ["make_shifted"]
