import inspect
import math
import pickle
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_dl._base.params import (
    Estimator,
    FiniteFloat,
    Fraction,
    InvalidParameterError,
    NonNegativeFloat,
    NonNegativeInt,
    OpenFraction,
    PositiveFloat,
    PositiveInt,
    ProperFraction,
    param,
)
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor

RANGES = [
    PositiveInt,
    NonNegativeInt,
    PositiveFloat,
    NonNegativeFloat,
    Fraction,
    OpenFraction,
    ProperFraction,
]


class Parent(Estimator):
    """Has some parameters.

    Notes
    -----
    Written by hand.
    """

    depth: PositiveInt = param(default=3, doc="Levels.")
    rate: PositiveFloat = param(default=0.5, doc="Speed.\nLarger is faster.")
    kind: Literal["round", "square"] | None = param(default=None, doc="Shape.")
    anything: Any = param(default=None, doc="Whatever.")

    _attributes = {"result_": ("int", "What came out.")}


class Child(Parent):
    """Adds to its parent."""

    first: PositiveInt | tuple[PositiveInt, ...] = param(default=(1, 2), doc="Sizes.", kw_only=False)
    own: bool = param(default=False, doc="Flag.")
    depth: PositiveInt = param(default=7)

    _attributes = {"more_": ("float", "What else came out.")}


def message(estimator):
    with pytest.raises(InvalidParameterError) as caught:
        estimator._check_params()
    return str(caught.value)


def accepts(hint, value):
    made = type(
        "Made", (Estimator,), {"__annotations__": {"x": hint}, "x": param(default=None, doc="Value.")}
    )
    try:
        made(x=value)._check_params()
    except InvalidParameterError:
        return False
    return True


def test_the_constructor_takes_positional_then_own_then_inherited_parameters():
    signature = inspect.signature(Child)
    assert list(signature.parameters) == ["first", "own", "depth", "rate", "kind", "anything"]
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    assert kinds == [inspect.Parameter.POSITIONAL_OR_KEYWORD] + 5 * [inspect.Parameter.KEYWORD_ONLY]
    assert Child(4).first == 4


def test_only_declared_positional_parameters_are_taken_by_position():
    with pytest.raises(TypeError):
        Child(4, True)
    assert MLPClassifier((5, 6)).hidden_layer_sizes == (5, 6)


def test_parameters_without_value_have_the_declared_default():
    assert Child().get_params() == {
        "first": (1, 2), "own": False, "depth": 7, "rate": 0.5, "kind": None, "anything": None,
    }  # fmt: skip


def test_a_subclass_can_change_a_default_and_keeps_its_documentation():
    assert Parent().depth == 3
    assert Child().depth == 7
    assert "depth : int above 0, default=7\n    Levels." in Child.__doc__
    assert "depth : int above 0, default=3\n    Levels." in Parent.__doc__


def test_the_constructor_stores_any_value_without_a_check():
    assert Child(depth="deep").depth == "deep"


def test_the_docstring_names_parameters_then_attributes_before_the_sections_written_by_hand():
    headings = [title for title in ("Parameters", "Attributes", "Notes") if f"{title}\n---" in Parent.__doc__]
    places = [Parent.__doc__.index(f"{title}\n---") for title in headings]
    assert headings == ["Parameters", "Attributes", "Notes"]
    assert places == sorted(places)
    assert Parent.__doc__.startswith("Has some parameters.")
    assert "rate : float above 0, default=0.5\n    Speed. Larger is faster." in Parent.__doc__
    assert "kind : 'round', 'square' or None, default=None" in Parent.__doc__
    assert "Written by hand." in Parent.__doc__


def test_the_docstring_has_inherited_parameters_and_attributes():
    assert "rate : float above 0" in Child.__doc__
    assert "result_ : int\n    What came out." in Child.__doc__
    assert "more_ : float\n    What else came out." in Child.__doc__


@pytest.mark.parametrize("estimator_class", [MLPClassifier, MLPRegressor])
def test_the_docstring_of_a_network_names_each_of_its_parameters_once(estimator_class):
    lines = estimator_class.__doc__.split("Attributes\n---")[0].splitlines()
    named = [line.split(" : ")[0] for line in lines if " : " in line and not line.startswith(" ")]
    assert named == list(inspect.signature(estimator_class).parameters)


def test_clone_copies_all_parameters():
    copy = clone(Child(first=[8, 9], rate=2.0, kind="square"))
    assert copy.get_params() == {**Child().get_params(), "first": [8, 9], "rate": 2.0, "kind": "square"}


def test_set_params_and_get_params_agree():
    assert Child().set_params(depth=2, own=True).get_params()["depth"] == 2
    with pytest.raises(ValueError, match="nothing"):
        Child().set_params(nothing=1)


def test_an_unfitted_estimator_survives_pickling():
    assert pickle.loads(pickle.dumps(Child(rate=3.0))).rate == 3.0


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"lr": 0}, "MLPClassifier: lr must be a float above 0; got 0."),
        ({"max_epochs": 2.5}, "MLPClassifier: max_epochs must be an int above 0; got 2.5."),
        ({"momentum": 1.0}, "MLPClassifier: momentum must be a float of at least 0 and below 1; got 1.0."),
        (
            {"validation_fraction": 0},
            "MLPClassifier: validation_fraction must be a float between 0 and 1; got 0.",
        ),
        ({"label_smoothing": 2}, "MLPClassifier: label_smoothing must be a float from 0 to 1; got 2."),
        ({"gradient_clip": -1}, "MLPClassifier: gradient_clip must be a float above 0 or None; got -1."),
        ({"early_stopping": "yes"}, "MLPClassifier: early_stopping must be a bool; got 'yes'."),
        ({"device": 0}, "MLPClassifier: device must be a string or None; got 0."),
        (
            {"hidden_layer_sizes": (8, 0)},
            "MLPClassifier: hidden_layer_sizes must be an int above 0 or a sequence of ints above 0; "
            "got (8, 0).",
        ),
        (
            {"optimizer": "adma"},
            "MLPClassifier: optimizer must be 'sgd', 'adam', 'adamw', 'rmsprop', 'adagrad' or a subclass of "
            "Optimizer; got 'adma'. Did you mean 'adam'?",
        ),
        (
            {"norm": "Batch"},
            "MLPClassifier: norm must be 'batch', 'layer', 'rms' or None; got 'Batch'. Did you mean 'batch'?",
        ),
    ],
)
def test_the_message_says_who_which_what_and_what_came(params, expected):
    assert message(MLPClassifier(**params)) == expected


def test_fit_checks_the_parameters(iris):
    with pytest.raises(InvalidParameterError, match=r"^MLPClassifier: lr must be a float above 0; got 0\.$"):
        MLPClassifier(lr=0).fit(*iris)


def test_a_bad_parameter_is_a_value_error_and_a_type_error():
    assert issubclass(InvalidParameterError, ValueError)
    assert issubclass(InvalidParameterError, TypeError)


@pytest.mark.parametrize("hint", [*RANGES, FiniteFloat, int, float])
@pytest.mark.parametrize("value", [True, False, np.True_])
def test_a_bool_is_no_number(hint, value):
    assert not accepts(hint, value)


@pytest.mark.parametrize("hint", [*RANGES, FiniteFloat])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), np.inf])
def test_nan_and_infinity_are_in_no_range(hint, value):
    assert not accepts(hint, value)


@pytest.mark.parametrize("hint", RANGES)
@pytest.mark.parametrize("value", ["1", b"1", None, [1], 1j, object()])
def test_what_is_no_real_number_is_in_no_range(hint, value):
    assert not accepts(hint, value)


def test_a_whole_number_beyond_the_largest_float_is_a_number():
    assert accepts(PositiveInt, 10**400)
    assert not accepts(Fraction, 10**400)
    assert not accepts(NonNegativeInt, -(10**400))


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint16])
def test_numpy_integers_are_integers(kind):
    assert accepts(PositiveInt, kind(3))
    assert accepts(PositiveFloat, kind(3))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numpy_floats_are_floats_and_no_integers(kind):
    assert accepts(OpenFraction, kind(0.5))
    assert not accepts(PositiveInt, kind(3))


def test_numpy_strings_are_strings():
    assert accepts(Literal["round", "square"], np.array(["square"])[0])
    assert accepts(str | None, np.str_("cpu"))


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (bool, [True, np.False_], [0, 1, None, "True"]),
        (Literal["a", "b"], ["a", "b"], ["c", "A", 1, None]),
        (Callable, [len, int, lambda: 0], [3, "len", None]),
        (type[ValueError], [ValueError, UnicodeError], [KeyError, ValueError("x"), "ValueError"]),
        (
            tuple[PositiveInt, ...],
            [(), (1,), [2, 3], np.array([4]), range(1, 3)],
            [0, "12", b"1", (0,), {1}, None],
        ),
        (dict | None, [{}, None], [[], ()]),
        (list | tuple | None, [[1], (1,), None], [{}, "ab"]),
        (np.random.RandomState, [np.random.RandomState(0)], [np.random.default_rng(0), 0]),
    ],
)
def test_each_kind_of_type_takes_its_values_and_no_others(hint, good, bad):
    assert all(accepts(hint, value) for value in good)
    assert not any(accepts(hint, value) for value in bad)


def test_a_sequence_of_no_axis_is_refused_in_words():
    assert "hidden_layer_sizes must be" in message(MLPClassifier(hidden_layer_sizes=np.array(5)))


def test_a_constructor_written_by_hand_is_refused_where_it_would_be_lost():
    with pytest.raises(TypeError, match="__init__"):
        type("Own", (Parent,), {"__init__": lambda self: None})


def test_a_parameter_without_type_is_refused_where_it_would_be_lost():
    with pytest.raises(TypeError, match="speed"):
        type("Untyped", (Parent,), {"speed": param(default=1, doc="Speed.")})


def _interval(field):
    for option in get_args(field.hint) if get_origin(field.hint) is not Annotated else (field.hint,):
        if get_origin(option) is Annotated:
            return get_args(option)
    return None


NUMERIC = {name: _interval(field) for name, field in MLPClassifier._fields.items() if _interval(field)}
NUMERIC.pop("hidden_layer_sizes")


def _in_range(kind, interval):
    if kind is int:
        return st.integers(int(interval.low), 2**62)
    return st.floats(
        interval.low,
        None if math.isinf(interval.high) else interval.high,
        exclude_min=interval.open_low,
        exclude_max=interval.open_high,
        allow_infinity=False,
    )


def _out_of_range(kind, interval):
    wrong = [
        st.just(math.nan),
        st.just(math.inf),
        st.just(-math.inf),
        st.booleans(),
        st.complex_numbers(),
        st.binary(),
    ]
    if kind is int:
        wrong += [st.integers(max_value=int(interval.low) - 1), st.floats()]
    else:
        wrong.append(st.floats(max_value=interval.low, exclude_max=not interval.open_low))
        if not math.isinf(interval.high):
            wrong.append(st.floats(min_value=interval.high, exclude_min=not interval.open_high))
    return st.one_of(wrong)


def test_the_ranges_of_a_network_are_found():
    assert {"max_epochs", "batch_size", "lr", "momentum", "dropout", "gradient_clip", "n_members"} <= set(
        NUMERIC
    )


@pytest.mark.parametrize("name", NUMERIC)
@given(data=st.data())
@settings(deadline=None, max_examples=25, derandomize=True)
def test_values_in_the_range_are_accepted(name, data):
    value = data.draw(_in_range(*NUMERIC[name]))
    MLPClassifier(**{name: value})._check_params()


@pytest.mark.parametrize("name", sorted(set(NUMERIC) - {"verbose"}))  # which may be a bool
@given(data=st.data())
@settings(deadline=None, max_examples=25, derandomize=True)
def test_values_out_of_the_range_are_refused_with_class_and_parameter_in_front(name, data):
    value = data.draw(_out_of_range(*NUMERIC[name]))
    assert message(MLPClassifier(**{name: value})).startswith(f"MLPClassifier: {name} must be ")
