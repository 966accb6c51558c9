"""Why runs failed, in a line for each level."""

from siffra.config import Setting
from siffra.engine.command.metrics import ExternalResult
from siffra.report.text.failures import failure_text, shortened_line
from siffra.report.text.messages import words_in
from siffra.training.external import external_record

WORDS = words_in("en")


def record(failure: str = "", *output: str):
    result = ExternalResult(metrics={"loss": 1.0}, failure=failure, output=output)
    return external_record("", Setting.external({}), 0, result, main="loss")


def test_nothing_where_none_failed():
    assert failure_text(WORDS, "lr 0.1", [record(), record()]) == ""


def test_how_many_why_and_the_last_line():
    runs = [record(), record("exit 1", "epoch 1", "CUDA out of memory")]
    assert failure_text(WORDS, "lr 0.1", runs) == (
        "lr 0.1: 1 of 2 runs failed (exit 1): CUDA out of memory"
    )


def test_several_reasons_the_most_frequent_first():
    runs = [record("timeout"), record("exit 1"), record("exit 1"), record()]
    assert failure_text(WORDS, "lr 0.1", runs) == (
        "lr 0.1: 3 of 4 runs failed (exit 1 in 2 and timeout in 1)."
    )


def test_a_lone_run():
    assert failure_text(WORDS, "lr 0.1", [record("exit 1")]) == "lr 0.1: the run failed (exit 1)."


def test_what_is_said_already_is_not_repeated():
    run = record("RuntimeError: CUDA OOM", "Traceback", "RuntimeError: CUDA OOM", "")
    assert run.last_words == ""
    assert failure_text(WORDS, "lr 0.1", [run]) == (
        "lr 0.1: the run failed (RuntimeError: CUDA OOM)."
    )
    assert record("ValueError: a b", "ValueError: a", "  b").last_words == ""


def test_in_swedish():
    assert failure_text(words_in("sv"), "lr 0,1", [record("signal 9"), record()]) == (
        "lr 0,1: 1 av 2 körningar misslyckades (signal 9)."
    )


def test_a_long_line_is_cut():
    line = shortened_line("x" * 10_000)
    assert len(line) == 160
    assert line.endswith("x…")
