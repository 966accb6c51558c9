"""What a search has done, on the disk: read again, cut short, or not readable."""

import pytest

from siffra.config import Setting
from siffra.errors import SearchError
from siffra.search.journal import Journal
from siffra.search.race import Candidate, Ran
from siffra.training.test_time_averaging import Averaged

CANDIDATE = (
    '{"what": "candidate", "number": 0, "knobs": {"neurons": 5}, "parameters": {}, "origin": "", '
    '"steps": 9, "short_steps": 3, "spent": 1.0}'
)
AVERAGED = Averaged({"test": 0.9, "noisy": 0.8}, seconds=1.6, plain_seconds=0.2)


def write(folder) -> Candidate:
    """A journal of one candidate, its run and its final."""
    with Journal(folder) as journal:
        candidate = Candidate(0, Setting.from_knobs({"neurons": 5}), {"layers": 1}, "a", 100, 25)
        candidate.entering = 0.2
        journal.add_candidate(candidate, 1.0)
        journal.add_run(candidate, Ran(25, 1000, {"test": 0.5}, 0.7, 0.4, 0.3), 2.0)
        journal.correct_steps(candidate, 90, 22, 2.5)
        journal.settle_steps(candidate, 85, 2.7)
        journal.add_average("key", AVERAGED, 3.0)
        journal.add_final(candidate, 1, 0.5, 4.0)
    return candidate


def test_what_was_written_is_read(tmp_path):
    candidate = write(tmp_path)

    with Journal(tmp_path) as journal:
        assert journal.candidates == [candidate]
        assert (candidate.steps, candidate.short_steps, candidate.final_steps) == (90, 22, 85)
        assert journal.averaged == {"key": AVERAGED}
        assert journal.overheads == [0.5]
        assert (journal.spent, journal.ended) == (4.0, 0.0)
        journal.add_end(5.0, 4.5, is_exhausted=True)

    with Journal(tmp_path) as journal:
        assert (journal.spent, journal.ended, journal.is_exhausted) == (4.5, 5.0, True)


def test_a_last_line_that_was_cut_short_is_left_out_and_written_over(tmp_path):
    write(tmp_path)
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])

    with Journal(tmp_path) as journal:
        assert journal.spent == 3.0
        journal.add_final(journal.candidates[0], 1, 0.5, 4.0)

    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        '{"what": "run"}',
        '{"what": "run", "candidate": 7, "spent": 1}',
        "[]",
        '{"what": "end", "time": 1, "exhausted": true, "spent": "x"}',
        '{"what": "end", "time": 1, "exhausted": true, "spent": NaN}',
        '{"what": "end", "time": -1, "exhausted": true, "spent": 1}',
        '{"what": "settled", "candidate": 1, "steps": 5, "spent": 1}',
        '{"what": "settled", "candidate": -1, "steps": 5, "spent": 1}',
        '{"what": "wings", "spent": 1}',
        "[" * 100_000,
        '{"spent": 1' + "0" * 5000 + "}",
        CANDIDATE.replace('"neurons": 5', '"neurons": -5'),
        CANDIDATE.replace('"number": 0', '"number": 5'),
        CANDIDATE.replace('"steps": 9', '"steps": "x"'),
        "\udcff",
    ],
)
def test_a_journal_that_cannot_be_read_is_one_clear_line(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(f"{CANDIDATE}\n{line}\nno end".encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    for _ in range(2):  # the lock is not kept
        with pytest.raises(SearchError) as caught, Journal(tmp_path):
            pass
        message = str(caught.value)
        assert message.startswith(f"{path}: line 2 cannot be read; ")
        assert "remove it, and the search begins anew." in message
        assert "\n" not in message
    assert path.read_bytes() == before


def test_a_link_in_the_place_of_a_journal_or_its_folder_is_left_alone(tmp_path):
    victim = tmp_path / "journal.jsonl"
    victim.write_text("mine, without an end of line")
    folder = tmp_path / "searches"
    folder.mkdir()
    (folder / "journal.jsonl").symlink_to(victim)
    (tmp_path / "link").symlink_to(tmp_path)

    for place in (folder, tmp_path / "link"):
        with pytest.raises(SearchError, match="is a link"), Journal(place):
            pass

    assert victim.read_text() == "mine, without an end of line"
