import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_dl._base.criterion import RowLoss, class_log_probabilities, make_criterion

torch.manual_seed(0)
LOGITS, CLASSES = torch.randn(7, 3), torch.tensor([0, 2, 1, 1, 0, 2, 2])
PRED, TARGET = torch.randn(7, 2), torch.randn(7, 2)


def probabilities(outputs, criterion, **options):
    return class_log_probabilities(outputs, criterion, **options).exp()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("squared_error", ((PRED - TARGET) ** 2).mean(1)),
        ("absolute_error", (PRED - TARGET).abs().mean(1)),
        ("huber", F.huber_loss(PRED, TARGET, reduction="none", delta=0.7).mean(1)),
        ("quantile", torch.where(TARGET > PRED, 0.9 * (TARGET - PRED), 0.1 * (PRED - TARGET)).mean(1)),
        (nn.L1Loss, (PRED - TARGET).abs().mean(1)),
        (nn.MSELoss(), ((PRED - TARGET) ** 2).mean(1)),
        (
            nn.SmoothL1Loss(reduction="sum", beta=0.5),
            F.smooth_l1_loss(PRED, TARGET, reduction="none", beta=0.5).mean(1),
        ),
        (lambda outputs, targets: (outputs - targets).pow(4).sum(1), (PRED - TARGET).pow(4).sum(1)),
    ],
)
def test_a_loss_of_real_values_gives_one_value_a_row(loss, expected):
    torch.testing.assert_close(make_criterion(loss, quantile=0.9, delta=0.7)(PRED, TARGET), expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("log_loss", -LOGITS.log_softmax(1)[range(7), CLASSES]),
        (nn.CrossEntropyLoss, -LOGITS.log_softmax(1)[range(7), CLASSES]),
        (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])),
         -(LOGITS.log_softmax(1) * torch.tensor([1.0, 2.0, 3.0]))[range(7), CLASSES]),
        (nn.MultiMarginLoss(), F.multi_margin_loss(LOGITS, CLASSES, reduction="none")),
    ],
)  # fmt: skip
def test_a_loss_of_classes_gives_one_value_a_row(loss, expected):
    torch.testing.assert_close(make_criterion(loss)(LOGITS, CLASSES), expected)


def test_label_smoothing_spreads_its_share_over_all_classes():
    log_p = LOGITS.log_softmax(1)
    target = 0.7 * F.one_hot(CLASSES, 3) + 0.1
    torch.testing.assert_close(
        make_criterion("log_loss", label_smoothing=0.3)(LOGITS, CLASSES), -(target * log_p).sum(1)
    )


def test_label_smoothing_of_several_labels_moves_each_towards_a_half():
    target = (TARGET > 0).float()
    smooth = 0.7 * target + 0.15
    p = torch.sigmoid(PRED)
    expected = -(smooth * p.log() + (1 - smooth) * (1 - p).log()).mean(1)
    torch.testing.assert_close(make_criterion("binary_log_loss", label_smoothing=0.3)(PRED, target), expected)


def test_the_callers_loss_is_left_as_it_was():
    loss = nn.MSELoss()
    make_criterion(loss)(PRED, TARGET)
    assert loss.reduction == "mean"


@pytest.mark.parametrize(
    "loss", [lambda outputs, targets: (outputs - targets).abs().mean(), lambda o, t: (o - t)[:3]]
)
def test_a_loss_that_gives_no_value_a_row_is_refused_in_words(loss):
    with pytest.raises(ValueError, match=r'one value a row.*got shape .* for 7 rows.*reduction="none"'):
        make_criterion(loss)(PRED, TARGET)


def test_a_column_of_outputs_meets_a_column_of_targets():
    outputs, targets = torch.randn(5, 1), torch.randn(5)
    torch.testing.assert_close(
        RowLoss(lambda o, t: (o - t) ** 2)(outputs, targets), (outputs[:, 0] - targets) ** 2
    )


@pytest.mark.parametrize(
    ("loss", "outputs", "multilabel", "expected"),
    [
        ("log_loss", LOGITS, False, LOGITS.softmax(1)),
        (nn.CrossEntropyLoss, LOGITS, False, LOGITS.softmax(1)),
        (nn.NLLLoss, LOGITS.log_softmax(1), False, LOGITS.softmax(1)),
        ("binary_log_loss", LOGITS, True, torch.sigmoid(LOGITS)),
    ],
)
def test_probabilities_are_those_that_the_outputs_stand_for(loss, outputs, multilabel, expected):
    given = probabilities(outputs, make_criterion(loss), multilabel=multilabel, label_smoothing=0.0)
    torch.testing.assert_close(given, expected)


def test_label_smoothing_is_taken_back_out_of_probabilities():
    p = torch.tensor([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05]])
    outputs = (0.8 * p + 0.2 / 3).log()  # of the network with the least smoothed loss
    criterion = make_criterion("log_loss", label_smoothing=0.2)
    torch.testing.assert_close(probabilities(outputs, criterion, multilabel=False, label_smoothing=0.2), p)
    outputs = torch.logit(0.8 * p + 0.1)
    torch.testing.assert_close(probabilities(outputs, criterion, multilabel=True, label_smoothing=0.2), p)


def test_probabilities_without_smoothing_stay_above_zero_in_their_order():
    sharp = probabilities(10 * LOGITS, make_criterion("log_loss"), multilabel=False, label_smoothing=0.5)
    torch.testing.assert_close(sharp.argsort(), LOGITS.argsort())
    assert (sharp > 0).all()
    torch.testing.assert_close(sharp.sum(1), torch.ones(7))
