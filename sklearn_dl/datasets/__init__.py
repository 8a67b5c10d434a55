"""Data sets, made and loaded."""

__all__: list[str] = []
