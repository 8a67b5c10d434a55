"""Parameters as typed fields: one line gives name, type, range, default, documentation, signature and check.

A subclass of :class:`Estimator`, or of :class:`Parametrised` for what is no estimator, declares
``lr: PositiveFloat = param(default=1e-3, doc="Step size.")``. From its fields, own and inherited, come the
constructor, the Parameters section of its docstring and the check that ``fit`` makes. A new type of value is
one more branch in :func:`_describe` and :func:`_fits`.
"""

import difflib
import functools
import inspect
import math
import re
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

import numpy as np
from sklearn.base import BaseEstimator


@dataclass(frozen=True)
class Interval:
    """Range of a number: its words in messages and its bounds, each in the range unless open."""

    words: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below and abs(value) < math.inf


class _PositiveOrInfinite(Interval):
    """Above 0, infinity included."""

    def __contains__(self, value: float) -> bool:
        return value > 0


PositiveInt = Annotated[int, Interval("an int above 0", low=1)]
NonNegativeInt = Annotated[int, Interval("an int of at least 0", low=0)]
PositiveFloat = Annotated[float, Interval("a float above 0", low=0, open_low=True)]
PositiveOrInfiniteFloat = Annotated[float, _PositiveOrInfinite("a float above 0 or inf")]
NonNegativeFloat = Annotated[float, Interval("a float of at least 0", low=0)]
FiniteFloat = Annotated[float, Interval("a finite float")]
Fraction = Annotated[float, Interval("a float from 0 to 1", low=0, high=1)]
OpenFraction = Annotated[
    float, Interval("a float between 0 and 1", low=0, high=1, open_low=True, open_high=True)
]
ProperFraction = Annotated[
    float, Interval("a float of at least 0 and below 1", low=0, high=1, open_high=True)
]
RandomState = NonNegativeInt | np.random.RandomState | None


class InvalidParameterError(ValueError, TypeError):
    """A parameter holds a value outside its type or range."""


_INHERITED: Any = object()


@dataclass
class Field:
    """Declaration of one parameter; made by :func:`param`."""

    default: Any
    doc: str
    kw_only: bool = True
    name: str = ""
    hint: Any = Any


def param(*, default: Any, doc: str = _INHERITED, kw_only: bool = True) -> Any:
    """Declare a parameter.

    Parameters
    ----------
    default : object
        Value when the caller gives none. Never changed by the estimator, so a mutable one is safe.
    doc : str
        What the parameter is and what changes when it grows. May be left out where a parent class
        declares the same name, and is then taken from there.
    kw_only : bool, default=True
        False lets the caller pass it by position, in the order of declaration.
    """
    return Field(default, doc, kw_only)


@dataclass_transform(kw_only_default=True, field_specifiers=(param,))
class Parametrised:
    """Typed fields become parameters."""

    _fields: ClassVar[dict[str, Field]] = {}
    _own_fields: ClassVar[dict[str, Field]] = {}
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {}  # fitted attribute: its type, its documentation

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            raise TypeError(f"{cls.__name__} must declare its parameters as fields, not in __init__.")
        own = _own_fields(cls)
        inherited: dict[str, Field] = {}
        for parent in cls.__mro__[1:]:
            for name, field in vars(parent).get("_own_fields", {}).items():
                inherited.setdefault(name, field)
        for name, field in own.items():
            if field.doc is _INHERITED:
                field.doc = inherited[name].doc
        cls._own_fields = own
        fields = {**own, **{name: field for name, field in inherited.items() if name not in own}}
        cls._fields = dict(sorted(fields.items(), key=lambda item: item[1].kw_only))
        cls.__init__ = _constructor(cls._fields)  # type: ignore[method-assign]
        cls.__init__.__qualname__ = f"{cls.__qualname__}.__init__"
        if not cls.__name__.startswith("_"):
            attributes: dict[str, tuple[str, str]] = {}
            for parent in reversed(cls.__mro__):
                attributes |= vars(parent).get("_attributes", {})
            cls.__doc__ = _documented(cls.__doc__ or "", cls._fields, attributes)

    def _check_params(self) -> None:
        """Raise InvalidParameterError for the first parameter outside its type or range."""
        for name, field in self._fields.items():
            value = getattr(self, name)
            if not _fits(value, field.hint):
                raise InvalidParameterError(
                    f"{type(self).__name__}: {name} must be {_describe(field.hint)}; "
                    f"got {value!r}.{_suggestion(value, field.hint)}"
                )


def _own_fields(cls: type) -> dict[str, Field]:
    fields = {}
    for name, hint in inspect.get_annotations(cls, eval_str=True).items():
        field = vars(cls).get(name)
        if isinstance(field, Field):
            field.name, field.hint = name, hint
            fields[name] = field
            delattr(cls, name)
    for name, value in vars(cls).items():
        if isinstance(value, Field):
            raise TypeError(f"{cls.__name__}.{name} needs a type: {name}: <type> = param(...).")
    return fields


def _constructor(fields: Mapping[str, Field]) -> Callable[..., None]:
    """Function ``__init__`` with the fields as its signature, which scikit-learn and editors read."""
    positional = [f"{name}=_defaults[{name!r}]" for name, field in fields.items() if not field.kw_only]
    keywords = [f"{name}=_defaults[{name!r}]" for name, field in fields.items() if field.kw_only]
    signature = ", ".join(["self", *positional, *(["*", *keywords] if keywords else [])])
    body = "\n".join(f"    self.{name} = {name}" for name in fields) or "    pass"
    namespace: dict[str, Any] = {"_defaults": {name: field.default for name, field in fields.items()}}
    exec(f"def __init__({signature}):\n{body}", namespace)
    return namespace["__init__"]


def _documented(doc: str, fields: Mapping[str, Field], attributes: Mapping[str, tuple[str, str]]) -> str:
    """Class docstring with sections Parameters and Attributes, before the first section it already has."""
    lines = inspect.cleandoc(doc).splitlines()
    rulers = (i - 1 for i, line in enumerate(lines) if i > 0 and line and set(line) == {"-"})
    first_section = next(rulers, len(lines))
    parameters = {
        name: (
            f"{_ARTICLE.sub('', _describe(field.hint))}, default={_default_text(field.default)}",
            field.doc,
        )
        for name, field in fields.items()
    }
    sections = [*_section("Parameters", parameters), *_section("Attributes", attributes)]
    head = "\n".join(lines[:first_section]).rstrip()
    return "\n".join([head, "", *sections, *lines[first_section:]])


_ARTICLE = re.compile(r"\ban? ")


def _section(title: str, entries: Mapping[str, tuple[str, str]]) -> list[str]:
    lines = [title, "-" * len(title)]
    for name, (kind, doc) in entries.items():
        lines += [
            f"{name} : {kind}",
            *textwrap.wrap(doc, 96, initial_indent="    ", subsequent_indent="    "),
        ]
    return [*lines, ""] if entries else []


def _default_text(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


@functools.cache
def _options(hint: Any) -> tuple[Any, ...]:
    """Alternatives of a union, or the hint alone."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    return any(_fits_one(value, option) for option in _options(hint))


def _fits_one(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin is Annotated:
        kind, interval = get_args(hint)
        return _is_number(value, kind) and value in interval
    if origin is Literal:
        return any(isinstance(value, type(choice)) and value == choice for choice in get_args(hint))
    if origin is tuple:
        return _is_sequence(value) and all(_fits(item, get_args(hint)[0]) for item in value)
    if origin is type:
        return isinstance(value, type) and issubclass(value, get_args(hint)[0])
    if Callable in (hint, origin):
        return callable(value)
    if hint in (int, float):
        return _is_number(value, hint)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    return isinstance(value, origin or hint)


def _is_number(value: Any, kind: type) -> bool:
    abstract = Integral if kind is int else Real
    return isinstance(value, abstract) and not isinstance(value, bool | np.bool_)


def _is_sequence(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _describe(hint: Any) -> str:
    """Words for a type, as in "an int above 0 or None"."""
    parts: list[str] = []
    for option in _options(hint):
        parts += (
            [repr(choice) for choice in get_args(option)]
            if get_origin(option) is Literal
            else [_words(option)]
        )
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _words(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Annotated:
        return get_args(hint)[1].words
    if origin is tuple:
        inner = _describe(get_args(hint)[0])
        return f"a sequence of {inner.removeprefix('an ').removeprefix('a ').replace('int', 'ints', 1)}"
    if origin is type:
        return f"a subclass of {get_args(hint)[0].__name__}"
    if Callable in (hint, origin):
        return "a callable"
    named = {None: "None", type(None): "None", Any: "object", bool: "a bool", int: "an int", float: "a float",
             str: "a string", dict: "a dict", list: "a list", type: "a class"}  # fmt: skip
    if hint in named:
        return named[hint]
    return f"an instance of {(origin or hint).__name__}"


def _suggestion(value: Any, hint: Any) -> str:
    """Closest allowed string, for a typing error."""
    choices = [
        choice
        for option in _options(hint)
        if get_origin(option) is Literal
        for choice in get_args(option)
        if isinstance(choice, str)
    ]
    close = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    return f" Did you mean {close[0]!r}?" if close else ""


class Estimator(Parametrised, BaseEstimator):
    """Base class of every estimator."""
