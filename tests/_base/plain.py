"""Parameters of a short, plain training, on which the defaults of the estimators have no say."""

PLAIN = {
    "activation": "tanh",
    "batch_size": 75,
    "label_smoothing": 0.0,
    "lr": 0.02,
    "lr_schedule": "constant",
    "max_epochs": 3,
    "random_state": 0,
    "weight_decay": 0.0,
}
