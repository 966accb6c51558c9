"""A metric as a text says it."""

import pytest

from siffra.api.commands import metrics_of
from siffra.config.metrics import Metric, SaidMetric
from siffra.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("val_loss", SaidMetric("val_loss")),
        ("val_loss:lower", SaidMetric("val_loss", "lower")),
        ("val/acc:top1:higher", SaidMetric("val/acc:top1", "higher")),
        ("a:b", SaidMetric("a:b")),
        ("loss:lower,margin=0.01", SaidMetric("loss", "lower", {"margin": 0.01})),
        (
            "speed:higher, scale=ratio, margin=5e-2,unit=images/s",
            SaidMetric("speed", "higher", {"scale": "ratio", "margin": 0.05, "unit": "images/s"}),
        ),
        ("speed,scale=ratio", SaidMetric("speed", None, {"scale": "ratio"})),
        ("loss, smoothed:lower", SaidMetric("loss, smoothed", "lower")),
    ],
)
def test_a_text_says_its_name_and_what_else_is_known(text, said):
    assert SaidMetric.parse(text) == said


@pytest.mark.parametrize(
    "metric",
    [
        Metric("val_loss", "lower"),
        Metric("speed", "higher", margin=0.05, scale="ratio", unit="images/s"),
        Metric("a, b", "lower", margin=1e-12),
    ],
)
def test_what_it_spells_is_read_as_it_is(metric):
    said = SaidMetric.parse(metric.spelled())

    assert said.better
    assert Metric(said.name, said.better, **said.more) == metric


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "loss:lower,margin=1%",
            "metric loss:lower: margin: found '1%'; it must be a number above",
        ),
        ("loss:down", "metric: found 'loss:down'; write loss:lower."),
        ("acc:maximize", "metric: found 'acc:maximize'; write acc:higher."),
        ("acc:good", "metric: found 'acc:good'; say which values are better, as acc:lower or"),
        ("loss:lower,margin=-1", "metric loss: margin: found -1.0; it must be a number above 0."),
        (
            "loss:lower,scale=log",
            "metric loss: scale: found 'log'; it must be difference or ratio.",
        ),
    ],
)
def test_what_it_cannot_be_is_refused(text, expected):
    with pytest.raises(ConfigError) as error:
        metrics_of(text)
    assert str(error.value).startswith(expected)
