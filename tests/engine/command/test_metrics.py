"""What a training measured, read from what it prints and from its file."""

import math

import pytest

from siffra.engine.command.metrics import ExternalResult, MetricReader, MetricSource
from siffra.engine.command.output import Stream
from siffra.errors import ConfigError


def measured(
    *lines: str, metrics=("val_loss",), read=(), stream: Stream = "stdout"
) -> ExternalResult:
    reader = MetricReader(MetricSource.parse(metrics, read))
    for line in lines:
        reader.read(line, stream)
    return reader.measured()


def test_the_last_object_with_the_metric_counts():
    found = measured(
        '{"val_loss": 0.5}', "then", '  {"val_loss": 0.25, "acc": 91}', '{"lr": 0.1}', "done"
    )

    assert found == ExternalResult(
        metrics={"val_loss": 0.25, "acc": 91.0},
        curves={},
        steps={"val_loss": 0.01, "acc": 1.0},
        failure="",
    )


def test_metrics_may_come_in_several_objects():
    found = measured('{"val_loss": 0.5}', '{"acc": 0.91}', metrics=("val_loss", "acc"))

    assert found.metrics == {"val_loss": 0.5, "acc": 0.91}
    assert found.failure == ""


def test_objects_on_stderr_are_not_metrics():
    assert measured('{"val_loss": 0.5}', stream="stderr").failure == "no metric `val_loss`"


def test_lines_with_an_epoch_make_curves():
    found = measured(
        '{"epoch": 1, "val_loss": 2.1, "lr": 0.1}',
        '{"epoch": 2, "val_loss": 1.9}',
        '{"epoch": 2, "val_loss": 1.8}',
        '{"val_loss": 1.75}',
    )

    assert found.metrics["val_loss"] == 1.75
    assert found.curves == {"val_loss": ((1, 2.1), (2, 1.8)), "lr": ((1, 0.1),)}


def test_a_step_will_do_for_an_epoch():
    assert measured('{"step": 500, "val_loss": 2}').curves == {"val_loss": ((500, 2),)}
    both = measured('{"step": 500, "epoch": 1, "val_loss": 2}')
    assert both.curves == {"val_loss": ((1, 2),)}
    assert both.metrics == {"val_loss": 2}


def test_a_metric_may_be_called_epoch():
    assert measured('{"epoch": 7}', metrics=("epoch",)).metrics == {"epoch": 7}


def test_the_smallest_step_of_a_metric_counts():
    found = measured('{"epoch": 1, "val_loss": 0.125}', '{"epoch": 2, "val_loss": 0.5}')

    assert found.steps == {"val_loss": 0.001}


def test_a_training_may_diverge():
    found = measured('{"epoch": 1, "val_loss": Infinity}', '{"epoch": 2, "val_loss": NaN}')

    assert math.isnan(found.metrics["val_loss"])
    assert found.curves["val_loss"][0] == (1, math.inf)
    assert found.failure == ""
    assert found.steps == {}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("null", "null"),
        ("true", "true"),
        ('"0.5"', "the text '0.5'"),
        ("[0.5]", "a list"),
        ('{"mean": 0.5}', "an object"),
    ],
)
def test_what_is_no_number_is_said_and_no_earlier_value_taken(value, kind):
    found = measured('{"val_loss": 0.5}', f'{{"val_loss": {value}}}')

    assert found.failure == f"metric `val_loss` is {kind}, no number"
    assert found.metrics == {}


def test_a_later_number_counts_all_the_same():
    assert measured('{"val_loss": null}', '{"val_loss": 0.5}').failure == ""


def test_a_metric_that_is_not_there_is_named():
    found = measured('{"val_loss": 0.5}', metrics=("val_loss", "acc"))

    assert found.failure == "no metric `acc`; the training gave val_loss"
    assert found.metrics == {"val_loss": 0.5}


def test_what_is_there_instead_is_named():
    found = measured('{"epoch": 1, "lr": 0.1}', '{"loss": 0.5, "acc": 0.9, "name": "x"}')

    assert found.failure == "no metric `val_loss`; the training gave lr, loss, acc"
    assert found.metrics == {}


@pytest.mark.parametrize("line", ["{", '{"val_loss": 0.', "{val_loss: 1}", '[{"val_loss": 1}]'])
def test_other_lines_are_no_objects(line):
    assert measured(line).failure == "no metric `val_loss`"


class TestPatterns:
    @pytest.mark.parametrize("stream", ["stdout", "stderr"])
    def test_the_last_line_that_matches_counts(self, stream):
        found = measured(
            "val_loss: 0.500", "val_loss: 0.25.", read=["val_loss: ([0-9.]+)"], stream=stream
        )

        assert found.metrics == {"val_loss": 0.25}
        assert found.steps == {"val_loss": 0.001}

    def test_values_belong_to_the_epoch_that_was_printed_last(self):
        found = measured(
            "val_loss 9",
            "Epoch 1/2",
            "val_loss 0.5",
            "Epoch 2/2",
            "val_loss 0.25",
            read=[r"Epoch (?P<epoch>\d+)", r"val_loss (\S+)"],
        )

        assert found.curves == {"val_loss": ((1, 0.5), (2, 0.25))}

    def test_what_they_find_is_not_read_from_objects(self):
        line = '{"val_loss": 3, "acc": 0.5} val_loss 7'
        found = measured(line, line[:27], metrics=("val_loss", "acc"), read=["val_loss ([0-9]+)"])

        assert found.metrics == {"val_loss": 7, "acc": 0.5}

    def test_what_is_no_number_is_said(self):
        found = measured("loss: 1,5", read=["loss: (.*)"])

        assert found.failure == "metric `val_loss` is the text '1,5', no number"

    def test_nan_is_a_value(self):
        assert math.isnan(measured("loss: nan", read=["loss: (.*)"]).metrics["val_loss"])


class TestFile:
    def read(self, tmp_path, text: str, *lines: str) -> ExternalResult:
        reader = MetricReader(MetricSource.parse(["val_loss"]))
        for line in lines:
            reader.read(line, "stdout")
        (tmp_path / "metrics.json").write_text(text)
        reader.read_file(tmp_path / "metrics.json")
        return reader.measured()

    def test_its_values_replace_those_of_lines(self, tmp_path):
        found = self.read(
            tmp_path, '{\n "val_loss": 0.25,\n "epoch": 9\n}', '{"epoch": 1, "val_loss": 0.5}'
        )

        assert found.metrics == {"val_loss": 0.25}
        assert found.curves == {"val_loss": ((1, 0.5),)}

    def test_it_need_not_have_the_metric(self, tmp_path):
        assert self.read(tmp_path, "{}", '{"val_loss": 0.5}').metrics == {"val_loss": 0.5}
        assert self.read(tmp_path, "{}").failure == "no metric `val_loss`"

    @pytest.mark.parametrize("text", ["", '{"val_loss": 0.2', "[]", " " * 2**20 + '{"val_loss":1}'])
    def test_one_that_cannot_be_read_is_a_problem_whatever_was_printed(self, text, tmp_path):
        found = self.read(tmp_path, text, '{"val_loss": 0.5}')

        assert found.failure == "metrics.json is no JSON object of at most 1 MB"

    def test_it_need_not_be_there(self, tmp_path):
        reader = MetricReader(MetricSource.parse(["val_loss"]))
        reader.read_file(tmp_path / "none" / "metrics.json")

        assert reader.measured().failure == "no metric `val_loss`"


class TestBounds:
    def test_long_curves_are_thinned_out(self):
        lines = (f'{{"step": {i}, "val_loss": {i}}}' for i in range(20_000))
        curve = measured(*lines).curves["val_loss"]

        assert 2000 < len(curve) <= 4096
        assert curve[0] == (0, 0)
        assert curve[-1] == (19_999, 19_999)
        assert all(position == value for position, value in curve)

    def test_metrics_with_ever_new_names_are_not_all_kept(self):
        lines = (f'{{"val_loss": {i}, "loss_{i}": 1, "epoch": {i}}}' for i in range(5000))
        found = measured(*lines)

        assert len(found.metrics) == len(found.curves) == 1000
        assert found.metrics["val_loss"] == 4999


def test_epochs_are_reported_as_they_come():
    seen = []
    source = MetricSource.parse(["val_loss"])
    reader = MetricReader(source, lambda position, values: seen.append((position, dict(values))))
    for line in ('{"epoch": 1, "val_loss": 2, "lr": 0.1}', "text", '{"val_loss": 1}'):
        reader.read(line, "stdout")

    assert seen == [(("epoch", 1), {"val_loss": 2, "lr": 0.1})]


def test_a_command_without_a_metric_is_refused():
    with pytest.raises(ConfigError) as caught:
        MetricSource.parse([])

    assert str(caught.value) == "metric: found none; name one, as `val_loss:lower`."


def test_two_values_of_one_name_are_no_number():
    assert measured('{"val_loss": 0.5, "val_loss": 0.4}').failure == (
        "metric `val_loss` is there twice, no number"
    )
    assert measured('{"val_loss": 0.5, "x": 1, "x": 2, "val_loss": 0.5}').metrics["val_loss"] == 0.5
