import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

import sklearn_dl
from sklearn_dl._base.devices import known_devices, resolve_device
from sklearn_dl.neural_network import MLPClassifier


def test_an_unknown_device_lists_the_known_ones(iris):
    with pytest.raises(
        ValueError, match=r"MLPClassifier: device must be None, 'auto' or .*'cpu'.*got 'gpu'\."
    ):
        MLPClassifier(4, device="gpu").fit(*iris)


def test_none_is_the_configured_device():
    assert resolve_device(None, "Net") == torch.device("cpu")
    with (
        sklearn_dl.config_context(device="nowhere"),
        pytest.raises(ValueError, match="got 'nowhere'"),
    ):
        resolve_device(None, "Net")


def test_a_device_that_is_given_wins_over_the_configured_one():
    with sklearn_dl.config_context(device="nowhere"):
        assert resolve_device("cpu", "Net") == torch.device("cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "fastest"),
    [(False, False, "cpu"), (True, False, "cuda"), (False, True, "mps"), (True, True, "cuda")],
)
def test_auto_is_the_fastest_there_is(monkeypatch, cuda, mps, fastest):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto", "Net") == torch.device(fastest)
    assert ("cuda:1" in known_devices()) is cuda


@pytest.mark.parametrize(("width", "expected"), [(8, 1), (2048, 2)])
def test_small_steps_run_on_one_thread_and_large_ones_on_those_the_user_set(width, expected):
    seen = []

    class Listener(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        X, y = np.zeros((600, 300)), np.arange(600) % 2
        MLPClassifier(width, max_epochs=1, callbacks=[Listener()]).fit(X, y)
        assert seen == [expected]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
