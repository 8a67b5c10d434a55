import math

import pytest
import torch
from torch.optim import lr_scheduler

from sklearn_dl._base.schedules import SCHEDULES, lr_factor
from sklearn_dl.neural_network import MLPClassifier

N_EPOCHS, N_BATCHES = 12, 5
N_STEPS = N_EPOCHS * N_BATCHES


def ours(schedule, warmup_epochs=0.0, n_epochs=N_EPOCHS):
    return [
        lr_factor(schedule, step / N_BATCHES, n_epochs, warmup_epochs) for step in range(n_epochs * N_BATCHES)
    ]


def of_torch(make_scheduler):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make_scheduler(optimizer)
    factors = []
    for _ in range(N_STEPS):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize(
    ("schedule", "make_scheduler"),
    [
        ("constant", lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0)),
        ("plateau", lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0)),
        ("step", lambda optimizer: lr_scheduler.StepLR(optimizer, N_STEPS // 3, gamma=0.1)),
        ("exponential", lambda optimizer: lr_scheduler.ExponentialLR(optimizer, gamma=0.01 ** (1 / N_STEPS))),
        ("cosine", lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, N_STEPS)),
        (
            "cosine_restarts",
            lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, N_STEPS // 4),
        ),
        (
            "one_cycle",  # torch's ends with its last step, and ours with the end of that step
            lambda optimizer: lr_scheduler.OneCycleLR(
                optimizer,
                1.0,
                N_STEPS + 1,
                pct_start=(0.3 * N_STEPS + 1) / (N_STEPS + 1),
                cycle_momentum=False,
            ),
        ),
    ],
)
def test_a_schedule_is_that_of_torch_stepped_each_batch(schedule, make_scheduler):
    assert ours(schedule) == pytest.approx(of_torch(make_scheduler), rel=1e-9, abs=1e-12)


def test_all_schedules_are_compared():
    compared = {mark.args[1][i][0] for mark in test_a_schedule_is_that_of_torch_stepped_each_batch.pytestmark
                for i in range(len(mark.args[1]))}  # fmt: skip
    assert compared == set(SCHEDULES)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_is_linear_and_the_schedule_has_the_rest(schedule):
    factors = ours(schedule, warmup_epochs=4.0)
    assert factors[: 4 * N_BATCHES] == pytest.approx([i / (4 * N_BATCHES) for i in range(4 * N_BATCHES)])
    assert factors[4 * N_BATCHES :] == pytest.approx(ours(schedule, n_epochs=N_EPOCHS - 4))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.5, 12.0, 99.0])
@pytest.mark.parametrize("epoch", [0.0, 0.5, 3.0, 11.99, 12.0, 50.0])
def test_factors_stay_between_zero_and_one(schedule, warmup_epochs, epoch):
    assert 0.0 <= lr_factor(schedule, epoch, N_EPOCHS, warmup_epochs) <= 1.0


@pytest.mark.parametrize(
    ("schedule", "end"),
    [("step", 0.01), ("exponential", 0.01), ("cosine", 0.0), ("cosine_restarts", 0.0), ("one_cycle", 4e-6)],
)
def test_schedules_end_where_they_say(schedule, end):
    assert lr_factor(schedule, N_EPOCHS, N_EPOCHS) == pytest.approx(end, abs=1e-12)


def test_training_steps_the_schedule_each_batch(iris):
    steps = []

    class Recorded(torch.optim.SGD):
        def step(self, closure=None):
            steps.append(self.param_groups[0]["lr"])
            super().step(closure)

    MLPClassifier(
        4, optimizer=Recorded, lr=0.5, max_epochs=6, batch_size=50, warmup_epochs=2, lr_schedule="cosine"
    ).fit(*iris)
    warm_up = [0.5 * i / 6 for i in range(6)]
    cosine = [0.25 * (1 + math.cos(math.pi * i / 12)) for i in range(12)]
    assert steps == pytest.approx(warm_up + cosine)


def test_the_history_has_the_step_size_of_each_epochs_end(iris):
    model = MLPClassifier(4, lr=0.5, max_epochs=3, batch_size=200, lr_schedule="step").fit(*iris)
    assert [row["lr"] for row in model.history_] == pytest.approx([0.5, 0.05, 0.005])


def test_plateau_lowers_the_step_size_whenever_the_loss_has_stalled_for_half_of_patience(iris):
    X, y = iris
    model = MLPClassifier(
        4, optimizer="sgd", lr=1e-30, max_epochs=8, patience=4, lr_schedule="plateau", batch_size=len(y)
    ).fit(X, y)
    # No step changes a weight, so the loss stalls from the second epoch on.
    assert [row["lr"] / 1e-30 for row in model.history_] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3]
    )


def test_plateau_keeps_the_step_size_while_the_loss_falls(iris):
    model = MLPClassifier(8, lr=1e-2, max_epochs=8, patience=2, lr_schedule="plateau", batch_size=150).fit(
        *iris
    )
    assert model.loss_curve_ == sorted(model.loss_curve_, reverse=True)
    assert {row["lr"] for row in model.history_} == {1e-2}
