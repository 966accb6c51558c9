"""The labs of a store as a class: each a column, their runs shared."""

import pytest
from raw_http import running

from siffra.api import kept_labs, run_lab
from siffra.store.store import open_store

LAB = """
title = "Widths"
author = "{author}"
[data]
path = "tiny.npz"
[base]
epochs = 1
[[questions]]
id = "a"
ask = "What does width do?"
vary = {{ neurons = [2, 4] }}
[[questions.claims]]
id = "wider"
say = "Wider is better."
level = {{ neurons = 4 }}
against = {{ neurons = 2 }}
direction = "better"
"""


@pytest.fixture
def ui(tmp_path, tiny_npz):
    """A page on a store in which two students have asked the same."""
    (tmp_path / "tiny.npz").write_bytes(tiny_npz)
    store = tmp_path / "runs.sqlite"
    for author in ("Bo", "Anna"):
        lab = tmp_path / f"{author}.toml"
        lab.write_text(LAB.format(author=author))
        run_lab(lab, seeds=5, jobs=1, store=store)
    with open_store(store) as opened:
        assert len(opened.records()) == 10  # the second trained nothing
    with running(store, tmp_path) as ui:
        yield ui


def test_labs_of_lab_files_are_side_by_side(ui, tmp_path):
    ids = {lab.plan.author["en"]: lab.id for lab in kept_labs(tmp_path / "runs.sqlite")}

    for language, runs_text in (("en", "the same runs"), ("sv", "samma körningar")):
        found = ui.ask(f"/api/labs/class?lang={language}").json
        assert [lab["name"] for lab in found["labs"]] == ["Anna", "Bo"]
        assert [lab["link"] for lab in found["labs"]] == [
            f"#/labs/{ids[name]}" for name in ("Anna", "Bo")
        ]
        ((row,),) = (question["rows"] for question in found["questions"])
        assert row["tested"] == 2
        assert row["runs_text"] == runs_text
