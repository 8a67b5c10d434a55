"""Nearest neighbours: search, classification, regression, and kernel regression."""

__all__: list[str] = []
