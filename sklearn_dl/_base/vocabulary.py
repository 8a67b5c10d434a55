"""The words of training: parameters that every estimator with a torch module has."""

from typing import Literal

import torch

from sklearn_dl._base.params import (
    Estimator,
    NonNegativeFloat,
    NonNegativeInt,
    OpenFraction,
    PositiveFloat,
    PositiveInt,
    ProperFraction,
    RandomState,
    param,
)


class TrainingParameters(Estimator):
    max_epochs: PositiveInt = param(
        default=100, doc="Passes over the training rows, at most. More fits closer and takes longer."
    )
    batch_size: PositiveInt | Literal["auto"] = param(
        default="auto",
        doc='Rows a step. Larger steps are fewer and steadier. "auto" takes a power of 2 from 8 to 512: near '
        "a tenth of few rows, 32 from 230 rows on, and near a 64th of more than 2900; 128 for streams.",
    )
    lr: PositiveFloat = param(
        default=1e-3, doc="Step size of the optimizer. Larger learns faster and less steadily."
    )
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "adagrad"] | type[torch.optim.Optimizer] = param(
        default="adamw", doc="Rule of the steps, by name or as a torch class."
    )
    momentum: ProperFraction = param(
        default=0.9, doc="Share of the last step that the next one keeps; for sgd. Larger smooths more."
    )
    nesterov: bool = param(default=False, doc="Look ahead along the momentum before each step; for sgd.")
    weight_decay: NonNegativeFloat = param(
        default=1e-2,
        doc="Pull of the weights towards 0 at each step; biases and norms are left alone. Larger gives "
        "smoother fits. Decoupled from the gradient for adamw, an L2 penalty for the other "
        "optimizers.",
    )
    lr_schedule: Literal[
        "constant", "step", "exponential", "cosine", "cosine_restarts", "one_cycle", "plateau"
    ] = param(
        default="cosine",
        doc="Course of the step size over `max_epochs`: constant; times 0.1 after each third; down to "
        "0.01; half a cosine down to 0; four of them; up, then down; or times 0.1 whenever the loss "
        "has stalled for half of `patience`. `partial_fit` keeps it constant.",
    )
    warmup_epochs: NonNegativeFloat = param(
        default=0.0, doc="Epochs over which the step size first grows from 0. More starts gentler."
    )
    gradient_clip: PositiveFloat | None = param(
        default=None,
        doc="Bound on the gradient of a step; None sets none. Smaller tames large gradients more.",
    )
    gradient_clip_by: Literal["norm", "value"] = param(
        default="norm", doc="Whether `gradient_clip` bounds the Euclidean norm or each value."
    )
    early_stopping: bool = param(
        default=False,
        doc="Hold out rows, stop when their loss no longer falls, and keep the best weights.",
    )
    validation_fraction: OpenFraction = param(
        default=0.1, doc="Share of the rows held out for early stopping; stratified by class where possible."
    )
    patience: PositiveInt = param(
        default=10, doc="Epochs without a better validation loss before early stopping ends the training."
    )
    warm_start: bool = param(
        default=False, doc="Go on from the last fit instead of starting anew, for `max_epochs` more epochs."
    )
    n_members: PositiveInt = param(
        default=1,
        doc="Networks with different initial weights, trained side by side and averaged. More predicts "
        "better and takes proportionally longer.",
    )
    ema_decay: ProperFraction | None = param(
        default=None,
        doc="Share of the running average of the weights that a step keeps; the average is what predicts. "
        "Larger averages over more steps. None averages nothing.",
    )
    standardize: bool = param(
        default=True,
        doc="Shift and scale features, and real targets, to mean 0 and variance 1 inside the estimator.",
    )
    device: str | None = param(
        default=None,
        doc='Where to compute: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest there is. None '
        "takes the setting of :func:`sklearn_dl.set_config`.",
    )
    precision: Literal["float32", "float64", "bf16"] = param(
        default="float32",
        doc='Number format of the computation; "bf16" keeps float32 weights and computes layers in bfloat16.',
    )
    compile: bool = param(
        default=False, doc="Compile the module with torch.compile; needs a C++ compiler on the CPU."
    )
    callbacks: list | tuple | None = param(
        default=None,
        doc="Skorch callbacks, or (name, callback) pairs. Copies of them, in ``net_.callbacks_``, take part "
        "in the training; a learning-rate scheduler among them takes the place of `lr_schedule`. "
        "EpochScoring needs its default ``use_caching=True``.",
    )
    random_state: RandomState = param(
        default=None,
        doc="Seed of initial weights, shuffling and dropout. An int gives the same result at each fit, "
        "bit by bit on one machine with one number of threads; None gives another one each time.",
    )
    verbose: bool | NonNegativeInt = param(default=False, doc="Print one line an epoch.")
