"""Save and load fitted estimators as files that run no code: skops underneath, errors in plain words."""

import importlib
import os
from pathlib import Path
from typing import Any


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Save an estimator, fitted or not, or a pipeline of estimators.

    The file is a skops archive: parameters and arrays, no code. It appears whole or not at all.

    Parameters
    ----------
    estimator : estimator
        A scikit-learn or sklearn_dl estimator.
    path : path-like
        File to write, by custom with the ending ``.skops``.

    Raises
    ------
    ImportError
        If skops is not installed.
    ValueError
        If it holds what :func:`load` could not make again, such as a function or class that has no name in a
        module (a lambda, or one defined inside a function), or a torch module or tensor.

    See Also
    --------
    load : The way back.

    Examples
    --------
    >>> import os, tempfile, sklearn_dl
    >>> from sklearn_dl.neural_network import MLPRegressor
    >>> model = MLPRegressor(max_epochs=5, random_state=0).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.skops")
    >>> sklearn_dl.save(model, path)
    >>> bool(sklearn_dl.load(path).predict([[1.5]]) == model.predict([[1.5]]))
    True
    """
    path, io, name = Path(path), _skops_io(), type(estimator).__name__
    unfinished = path.with_name(path.name + ".part")
    try:
        try:
            io.dump(estimator, unfinished)
        except (TypeError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "TensorBase" not in str(error):
                raise
            raise ValueError(
                f"save: this {name} holds what no skops file can ({type(error).__name__}: {error}), such as "
                "a torch module with weights. Give the class of the module, or a function that makes it. Or "
                "use pickle."
            ) from error
        if lost := [kind for kind in io.get_untrusted_types(file=unfinished) if not _can_be_found(kind)]:
            raise ValueError(
                f"save: this {name} holds what could not be found again by its name: {', '.join(lost)}. "
                "Define it at the top of a module."
            )
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], *, trusted: list[str] | None = None) -> Any:
    """Load what :func:`save`, or ``skops.io.dump``, has saved.

    Nothing in the file is run. Types outside numpy, scikit-learn and sklearn_dl must be named.

    Parameters
    ----------
    path : path-like
        File to read.
    trusted : list of str or None, default=None
        Further types that may be made, as "package.module.Class": those of a module of your own.

    Returns
    -------
    estimator : estimator
        As it was saved. A network that was fitted on a device this machine lacks is rebuilt on the CPU.

    Raises
    ------
    ValueError
        If the file is truncated, is no saved estimator, or holds types that are not trusted.
    FileNotFoundError
        If there is no such file.
    ImportError
        If skops is not installed.
    """
    io = _skops_io()
    data = Path(path).read_bytes()
    try:
        unknown = io.get_untrusted_types(data=data)
    except Exception as error:
        raise ValueError(
            f"load: {os.fspath(path)!r} is no whole skops file ({len(data)} bytes; "
            f"{type(error).__name__}: {error}). It may be truncated, or written by something else. "
            "Save the estimator again."
        ) from error
    allowed = [name for name in unknown if name.split(".")[0] == "sklearn_dl" or name in (trusted or [])]
    refused = sorted(set(unknown) - set(allowed))
    if refused:
        raise ValueError(
            f"load: {os.fspath(path)!r} holds types that are not trusted: {', '.join(refused)}. "
            "If you know where the file comes from, pass them as trusted=[...]."
        )
    return io.loads(data, trusted=allowed)


def _can_be_found(name: str) -> bool:
    """Whether "package.module.Class" names a class or function here."""
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute)
    except (ImportError, ValueError):
        return False


def _skops_io() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError("Saving and loading needs skops: pip install skops") from error
    return skops.io
