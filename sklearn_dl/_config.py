"""Package-wide settings: what an estimator uses where its own parameter says None."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_DEFAULTS: dict[str, Any] = {"device": "cpu"}
_global_config = dict(_DEFAULTS)
_local_config: ContextVar[dict[str, Any] | None] = ContextVar("sklearn_dl_config", default=None)


def get_config() -> dict[str, Any]:
    """Settings in force here, as a new dict.

    Returns
    -------
    config : dict
        ``device`` : str, the device of estimators whose ``device`` is None.

    Examples
    --------
    >>> import sklearn_dl
    >>> sklearn_dl.get_config()
    {'device': 'cpu'}
    """
    return {**_global_config, **(_local_config.get() or {})}


def set_config(*, device: str | None = None) -> None:
    """Change settings for the whole process.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:<i>", "mps"} or None, default=None
        Device of estimators whose ``device`` is None. None leaves the setting as it is.
        The name is checked when an estimator uses it, because only then is torch loaded.

    Examples
    --------
    >>> import sklearn_dl
    >>> sklearn_dl.set_config(device="cpu")
    """
    _global_config.update(_given(device=device))


@contextmanager
def config_context(*, device: str | None = None) -> Iterator[None]:
    """Change settings inside a ``with`` block, in this thread and its tasks alone.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:<i>", "mps"} or None, default=None
        As in :func:`set_config`.

    Examples
    --------
    >>> import sklearn_dl
    >>> with sklearn_dl.config_context(device="auto"):
    ...     print(sklearn_dl.get_config()["device"])
    auto
    """
    token = _local_config.set({**(_local_config.get() or {}), **_given(device=device)})
    try:
        yield
    finally:
        _local_config.reset(token)


def _given(**settings: Any) -> dict[str, Any]:
    for name, value in settings.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"set_config: {name} must be a string or None; got {value!r}.")
    return {name: value for name, value in settings.items() if value is not None}
