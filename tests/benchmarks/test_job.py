"""The whole job beside other tools: what is asked of siffra, and what is made of its answers."""

import numpy as np

from benchmarks import job


def test_siffra_finds_what_differs_and_stops_there():
    """The middle level is the first one's equal; the last is ten deviations ahead."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((1, 3, job.SEEDS))
    values[0, 2] += 10

    shown, runs = job._siffra(values)

    assert shown.tolist() == [[0, 1]]
    # The equal pair goes on to the end, and the decided level stops at the first look.
    assert runs.tolist() == [2 * job.SEEDS + 5]


def test_outcomes_count_questions_with_any_wrong_verdict(monkeypatch):
    truth = np.array([[0, 1], [0, 1], [0, 0]])
    shown = np.array([[0, 1], [1, 0], [0, -1]])
    questions = job.Questions("made", np.zeros((3, 3, 4)), truth, seconds=0.5)
    monkeypatch.setattr(job, "made_up", lambda rng: questions)
    monkeypatch.setattr(job, "real", lambda say: questions)
    monkeypatch.setattr(job, "BESIDE", {})
    monkeypatch.setattr(job, "_siffra", lambda values: (shown, np.array([12, 9, 12])))

    first, _ = job.compare_jobs(lambda line: None)

    assert (first.wrong, first.decided, first.runs) == (2, 0.5, 11.0)
    (table,) = job.lines([first])
    assert "| 2 of 3 | 50% | 11 | 5.5 |" in table
