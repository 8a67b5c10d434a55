"""How to be an estimator: parameters, inputs, targets, and the one training of torch modules."""
