import pickle
import random
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
import torch

from sklearn_dl._base.seeding import draw_seed, isolated_randomness
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor, NeuralNetTransformer

CPU = torch.device("cpu")


def global_states():
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()


def draws():
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)]


def classifier(**params):
    return MLPClassifier(
        4, **{"max_epochs": 2, "dropout": 0.2, "random_state": 0, "batch_size": 32, **params}
    )


def test_a_block_leaves_all_global_states_as_they_were():
    before = global_states()
    with isolated_randomness(0, CPU):
        draws()
    assert global_states() == before


def test_a_block_that_fails_leaves_all_global_states_as_they_were():
    def fail():
        with isolated_randomness(0, CPU):
            draws()
            raise KeyboardInterrupt

    before = global_states()
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert global_states() == before


def test_a_block_draws_the_same_for_the_same_seed_and_other_values_for_another():
    drawn = []
    for seed in (1, 1, 2):
        with isolated_randomness(seed, CPU) as generator:
            drawn.append((draws(), torch.rand(3, generator=generator).tolist()))
    assert drawn[0] == drawn[1]
    for one, other in zip(drawn[0][0], drawn[2][0], strict=True):
        assert one != other


def test_blocks_may_stand_inside_each_other():
    with isolated_randomness(0, CPU):
        outer = global_states()
        with isolated_randomness(1, CPU):
            draws()
        assert global_states() == outer


@pytest.mark.parametrize("random_state", [0, 7, np.int64(7), 2**40])
def test_an_int_gives_one_seed_that_torch_and_numpy_take(random_state):
    seed = draw_seed(random_state)
    assert seed == draw_seed(random_state)
    assert 0 <= seed < 2**31


def test_different_ints_give_different_seeds():
    assert len({draw_seed(i) for i in range(200)}) == 200


def test_none_gives_a_new_seed_each_time():
    np.random.seed(0)
    one = draw_seed(None)
    np.random.seed(0)
    assert draw_seed(None) != one


def test_a_random_state_advances():
    state = np.random.RandomState(0)
    assert draw_seed(state) != draw_seed(state)
    assert draw_seed(np.random.RandomState(0)) == draw_seed(np.random.RandomState(0))


def test_no_method_touches_the_global_states(iris):
    X, y = iris
    before = global_states()
    model = classifier(early_stopping=True).fit(X, y)
    model.partial_fit(X, y)
    model.predict_proba(X)
    MLPRegressor(4, max_epochs=1).fit(X, y).predict(X)
    transformer = NeuralNetTransformer(max_epochs=1).fit(X)
    transformer.inverse_transform(transformer.transform(X))
    assert global_states() == before


def test_a_fit_that_fails_touches_no_global_state(iris):
    class Broken(MLPClassifier):
        """Draws, then fails."""

        def _on_epoch_end(self, net):
            draws()
            raise RuntimeError("boom")

    before = global_states()
    with pytest.raises(RuntimeError, match="boom"):
        Broken(4).fit(*iris)
    assert global_states() == before


def test_the_same_random_state_gives_the_same_bits(iris):
    X, y = iris
    for params in ({}, {"early_stopping": True}, {"n_members": 2}):
        one, other = (classifier(**params).fit(X, y) for _ in range(2))
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
        assert one.loss_curve_ == other.loss_curve_


def test_a_refit_gives_the_same_bits(iris):
    X, y = iris
    model = classifier().fit(X, y)
    first = model.predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), first)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_none_and_a_random_state_give_another_fit_each_time(random_state, iris):
    X, y = iris
    one, other = (classifier(random_state=random_state).fit(X, y) for _ in range(2))
    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))


def test_equal_random_states_give_equal_fits(iris):
    X, y = iris
    one, other = (classifier(random_state=np.random.RandomState(5)).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_the_global_states_do_not_influence_a_fit(iris):
    X, y = iris
    fits = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        fits.append(classifier().fit(X, y).predict_proba(X))
    np.testing.assert_array_equal(*fits)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "float64 by default": lambda: default_dtype(torch.float64),
    "another device by default": lambda: torch.device("meta"),
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "mixed precision": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("estimator", [MLPClassifier, classifier], ids=["closed form", "autograd"])
def test_what_torch_was_told_for_all_tensors_does_not_influence_a_fit(estimator, setting, iris):
    X, y = iris
    params = {"max_epochs": 2, "batch_size": 32, "random_state": 0}
    expected = estimator(**params).fit(X, y)
    with setting():
        before = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_default_device()
        model = estimator(**params).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        loaded = pickle.loads(pickle.dumps(model.set_params(warm_start=True)))
        np.testing.assert_array_equal(loaded.predict_proba(X), expected.predict_proba(X))
        assert before == (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_default_device())
    np.testing.assert_array_equal(loaded.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X))


def test_fits_in_two_threads_at_once_give_the_bits_that_they_give_alone(iris):
    X, y = iris
    alone = [classifier(random_state=seed).fit(X, y).predict_proba(X) for seed in range(6)]
    together = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(lambda seed: classifier(random_state=seed).fit(X, y).predict_proba(X))(seed)
        for seed in range(6)
    )
    np.testing.assert_array_equal(together, alone)


def test_members_begin_with_different_weights(iris):
    first, second = classifier(n_members=2).fit(*iris).module_.members
    assert not torch.equal(first.head.weight, second.head.weight)
