"""What a search has done, on the disk: read again, cut short, damaged, or of an earlier form."""

import dataclasses

import numpy as np
import optuna
import pytest
from optuna.storages.journal import JournalFileBackend, JournalStorage

from siffra.config import Setting
from siffra.errors import SearchError
from siffra.search.proposals import proposals
from siffra.search.race import Candidate, Run
from siffra.search.space import Parameters, Space, parameters_of
from siffra.search.study import SearchStudy
from siffra.training.test_time_averaging import Averaged

SPACE = Space(10.0, 36.0)
SETTING = Setting.from_knobs({"neurons": 32, "batch_size": 64})
AVERAGED = Averaged({"test": 0.9, "noisy": 0.8}, seconds=1.6, plain_seconds=0.2)
SHORT_RUN = Run(22, 1000, {"test": 0.5}, 0.7, 0.4, 0.3)


def parameters() -> dict:
    answers = Parameters(parameters_of(SETTING))
    SPACE.knobs(answers)
    return answers.values


def write(folder) -> Candidate:
    """A study of one candidate, its run and its final."""
    with SearchStudy(folder, SPACE) as study:
        candidate = Candidate(0, SETTING, parameters(), "a", 100, 25, entering=0.2)
        study.add(candidate, 1.0)
        candidate.runs.append(SHORT_RUN)
        candidate.steps, candidate.short_steps = 90, 22
        study.save(candidate, 2.0)
        candidate.final_steps = 85
        study.save(candidate, 2.7)
        study.add_average("key", AVERAGED, 3.0)
        study.add_overhead(0.5, 4.0)
    return candidate


def test_what_was_written_is_read(tmp_path):
    candidate = write(tmp_path)

    with SearchStudy(tmp_path, SPACE) as study:
        assert study.candidates == [candidate]
        assert study.progress.averaged == {"key": AVERAGED}
        assert study.progress.overheads == [0.5]
        assert (study.progress.spent, study.progress.ended) == (4.0, 0.0)
        study.end(5.0, 4.5, is_exhausted=True)

    with SearchStudy(tmp_path, SPACE) as study:
        progress = study.progress
        assert (progress.spent, progress.ended, progress.is_exhausted) == (4.5, 5.0, True)


def test_a_trial_has_the_parameters_and_is_told_the_score_of_the_first_round(tmp_path):
    write(tmp_path)

    with SearchStudy(tmp_path, SPACE) as study:
        (trial,) = study.optuna_study.trials

    assert trial.params == parameters()
    assert trial.value == 0.5


def test_optuna_opens_the_study_by_itself(tmp_path):
    write(tmp_path)

    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.log")))
    study = optuna.load_study(study_name="search", storage=storage)

    assert study.best_value == 0.5
    assert study.best_params == parameters()


def test_proposals_learn_from_candidates_that_came_after_others_were_proposed(tmp_path, propose):
    with SearchStudy(tmp_path, SPACE) as study:
        for number in range(60):
            next(proposals(study.optuna_study, SPACE, [], number))
            values, knobs = propose(SPACE, [], number)
            run = Run(22, 1000, {"test": values["dropout"]}, 0.7)
            candidate = Candidate(number, Setting.from_knobs(knobs), values, "", 90, 22, [run])
            study.add(candidate, 1.0)
            study.save(candidate, 1.0)

        drawn = [next(proposals(study.optuna_study, SPACE, [], n))[0]["dropout"] for n in range(40)]

    # Evenly drawn from 0 to 0.5 the mean would be 0.22 with a standard error of 0.03.
    assert np.mean(drawn) > 0.3


def test_a_candidate_that_has_not_run_yet_is_no_trial_to_learn_from(tmp_path):
    with SearchStudy(tmp_path, SPACE) as study:
        candidate = Candidate(0, SETTING, parameters(), "", 100, 25)
        study.add(candidate, 1.0)
        study.save(candidate, 2.0)

        assert study.optuna_study.best_trials == []


def test_a_score_that_a_kill_left_untold_is_told_when_the_study_is_opened(tmp_path):
    with SearchStudy(tmp_path, SPACE) as study:
        candidate = Candidate(0, SETTING, parameters(), "", 90, 22)
        study.add(candidate, 1.0)
        study._tell = lambda candidate: None  # as if killed before it
        candidate.runs.append(SHORT_RUN)
        study.save(candidate, 2.0)

    with SearchStudy(tmp_path, SPACE) as study:
        assert study.optuna_study.best_value == 0.5


def test_a_last_line_that_was_cut_short_is_left_out_and_written_over(tmp_path):
    write(tmp_path)
    path = tmp_path / "study.log"
    path.write_bytes(path.read_bytes()[:-7])

    with SearchStudy(tmp_path, SPACE) as study:
        assert study.progress.spent == 3.0
        study.add_overhead(0.5, 4.0)

    with SearchStudy(tmp_path, SPACE) as study:
        assert (study.progress.spent, study.progress.overheads) == (4.0, [0.5])


@pytest.mark.parametrize("lines", range(1, 12))
def test_a_study_that_was_killed_after_any_line_is_opened(tmp_path, lines):
    write(tmp_path)
    path = tmp_path / "study.log"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:lines]) + whole[min(lines, len(whole) - 1)][:-1])

    with SearchStudy(tmp_path, SPACE) as study:
        spent = study.progress.spent
        assert len(study.candidates) == (lines >= 3)

    assert 0 <= spent <= 4.0
    assert len(whole) <= 11


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"op_code": 99}',
        '{"op_code": 2, "worker_id": "x", "study_id": 0, "user_attr": {"0": {"steps": "x"}}}',
        '{"op_code": 2, "worker_id": "x", "study_id": 0, "user_attr": {"progress": {"spent": -1}}}',
        '{"op_code": 2, "worker_id": "", "study_id": 0, "user_attr": {"progress": {"spent": NaN}}}',
        '{"op_code": 4, "worker_id": "x", "study_id": 0, "datetime_start": "x"}',
        "[" * 100_000,
        '{"spent": 1' + "0" * 5000 + "}",
        "\udcff",
    ],
)
def test_a_study_that_cannot_be_read_is_one_clear_line(tmp_path, line):
    write(tmp_path)
    path = tmp_path / "study.log"
    damage = f"{line}\n".encode("utf-8", "surrogateescape")
    path.write_bytes(path.read_bytes() + damage + damage)
    before = path.read_bytes()
    for _ in range(2):  # the lock is not kept
        with pytest.raises(SearchError) as caught, SearchStudy(tmp_path, SPACE):
            pass
        expected = f"{path}: cannot be read; remove it to restart the search."
        assert str(caught.value) == expected
    assert path.read_bytes() == before


def test_a_link_in_the_place_of_a_study_or_its_folder_is_left_alone(tmp_path):
    victim = tmp_path / "study.log"
    victim.write_text("mine, without an end of line")
    folder = tmp_path / "searches"
    folder.mkdir()
    (folder / "study.log").symlink_to(victim)
    (tmp_path / "link").symlink_to(tmp_path)

    for place in (folder, tmp_path / "link"):
        with pytest.raises(SearchError, match="is a symbolic link"), SearchStudy(place, SPACE):
            pass

    assert victim.read_text() == "mine, without an end of line"


PARAMETERS = str(parameters()).replace("'", '"').replace("False", "false")
EARLIER = f"""\
{{"what": "candidate", "number": 0, "knobs": {{"neurons": 32, "batch_size": 64}}, \
"parameters": {PARAMETERS}, "origin": "a", "steps": 100, "short_steps": 25, \
"entering": 0.2, "spent": 1.0}}
{{"what": "run", "candidate": 0, "steps": 22, "seed": 1000, "accuracy": {{"test": 0.5}}, \
"seconds": 0.7, "overhead": 0.4, "scoring": 0.3, "spent": 2.0}}
{{"what": "steps", "candidate": 0, "steps": 90, "short_steps": 22, "spent": 2.5}}
{{"what": "settled", "candidate": 0, "steps": 85, "spent": 2.7}}
{{"what": "average", "key": "key", "averaged": {{"accuracy": {{"test": 0.9, "noisy": 0.8}}, \
"seconds": 1.6, "plain_seconds": 0.2}}, "spent": 3.0}}
{{"what": "final", "candidate": 0, "seed": 1, "overhead": 0.5, "spent": 4.0}}
{{"what": "end", "time": 5.0, "exhausted": true, "spent": 4.5}}
"""
"""What an earlier version wrote of the search that `write` makes."""


def test_a_journal_of_an_earlier_version_is_gone_on_with(tmp_path):
    candidate = write(tmp_path / "new")
    folder = tmp_path / "old"
    folder.mkdir()
    journal = folder / "journal.jsonl"
    journal.write_text(EARLIER + '{"what": "final", "cut')

    for _ in range(2):  # of the journal, and then of the study that was made of it
        with SearchStudy(folder, SPACE) as study:
            assert study.candidates == [candidate]
            assert study.optuna_study.best_value == 0.5
            assert study.progress.model_dump() == {
                "spent": 4.5,
                "ended": 5.0,
                "is_exhausted": True,
                "overheads": [0.5],
                "averaged": {"key": dataclasses.asdict(AVERAGED)},
            }
    assert journal.read_text().startswith(EARLIER)


@pytest.mark.parametrize("line", ["no JSON", '{"what": "run", "candidate": 7, "spent": 1}'])
def test_an_earlier_journal_that_cannot_be_read_is_one_clear_line(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_text(f"{EARLIER}{line}\n")

    with pytest.raises(SearchError) as caught, SearchStudy(tmp_path, SPACE):
        pass

    assert str(caught.value) == f"{path}: cannot be read; remove it to restart the search."
