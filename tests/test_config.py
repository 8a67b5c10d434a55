import subprocess
import sys
import threading

import pytest

import sklearn_dl


@pytest.fixture(autouse=True)
def unchanged_config():
    before = sklearn_dl.get_config()
    yield
    sklearn_dl.set_config(**before)


def test_the_cpu_is_the_device_out_of_the_box():
    assert sklearn_dl.get_config() == {"device": "cpu"}


def test_what_get_config_returns_is_a_copy():
    sklearn_dl.get_config()["device"] = "mps"
    assert sklearn_dl.get_config()["device"] == "cpu"


def test_set_config_changes_the_setting_and_none_leaves_it():
    sklearn_dl.set_config(device="auto")
    assert sklearn_dl.get_config()["device"] == "auto"
    sklearn_dl.set_config()
    assert sklearn_dl.get_config()["device"] == "auto"


def test_a_context_ends_with_its_block_even_after_an_error():
    def fail():
        with sklearn_dl.config_context(device="auto"):
            raise RuntimeError(sklearn_dl.get_config()["device"])

    with pytest.raises(RuntimeError, match="auto"):
        fail()
    assert sklearn_dl.get_config()["device"] == "cpu"


def test_the_inner_context_wins_and_none_leaves_the_outer_one():
    with sklearn_dl.config_context(device="auto"):
        with sklearn_dl.config_context(device="mps"):
            assert sklearn_dl.get_config()["device"] == "mps"
        with sklearn_dl.config_context():
            assert sklearn_dl.get_config()["device"] == "auto"


def test_a_context_holds_in_its_own_thread_alone_and_set_config_in_all():
    seen = []

    def look():
        seen.append(sklearn_dl.get_config()["device"])

    sklearn_dl.set_config(device="mps")
    with sklearn_dl.config_context(device="auto"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        look()
    assert seen == ["mps", "auto"]


@pytest.mark.parametrize("device", [0, 1.5, b"cpu", ["cpu"]])
def test_a_device_that_is_no_string_is_refused(device):
    with pytest.raises(TypeError, match="device must be a string or None"):
        sklearn_dl.set_config(device=device)
    with (
        pytest.raises(TypeError, match="device must be a string or None"),
        sklearn_dl.config_context(device=device),
    ):
        pass


def test_the_package_and_its_settings_are_there_without_torch():
    code = (
        "import sys, sklearn_dl\n"
        "with sklearn_dl.config_context(device='auto'): sklearn_dl.get_config()\n"
        "assert 'torch' not in sys.modules and 'skorch' not in sys.modules\n"
        "sklearn_dl.neural_network.MLPClassifier\n"
        "assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sklearn_dl.nothing


def test_dir_lists_what_the_package_offers():
    assert {"neural_network", "save", "load", "set_config"} <= set(dir(sklearn_dl))
