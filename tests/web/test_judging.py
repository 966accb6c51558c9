"""A table of finished runs that the page is given is judged, kept nowhere, and hurts nobody."""

import asyncio
import base64
import csv
import json
import random
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

import siffra
from siffra.report.model import Report
from siffra.report.render.files import runs_parquet
from siffra.web import judging
from siffra.web.errors import ApiError
from siffra.web.judging import TABLE, Question, TableFile, file_name
from siffra.web.pages import page_words

HEADER = "lr,seed,val_loss,accuracy"


def runs(seeds: int = 12) -> str:
    """Three learning rates, of which each is better than the one before, with both metrics."""
    draw = random.Random(0).gauss
    rows = [
        f"{lr},{seed},{draw(loss, 0.01):.4f},{draw(1 - loss, 0.005):.4f}"
        for lr, loss in ((0.1, 0.32), (0.3, 0.30), (1.0, 0.25))
        for seed in range(seeds)
    ]
    return "\n".join([HEADER, *rows]) + "\n"


RUNS = runs()


def judged(ui, table: str | bytes, name: str = "runs.csv", lang: str = "en", **said: object):
    content = table if isinstance(table, bytes) else table.encode()
    body = {"table": base64.b64encode(content).decode(), "question": {"file": name, **said}}
    return ui.ask(f"/api/judge?lang={lang}", body)


def verdicts(told: dict[str, Any]) -> list[str]:
    return [claim["verdict"] for claim in told["questions"][0]["claims"]]


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """What the process that judges a table answers, without the process."""
    monkeypatch.chdir(tmp_path)

    def answer(table: str | bytes, name: str = "runs.csv", lang: str = "en", **said: object):
        content = table if isinstance(table, bytes) else table.encode()
        (tmp_path / name).write_bytes(content)
        question = Question.model_validate({"file": name, **said})
        return json.loads(judging._answer(question, lang))

    return answer


class TestAnswers:
    def test_a_parquet_file_is_the_same_table(self, ui):
        names, *rows = csv.reader(RUNS.splitlines())
        cells = [map(float, row) for row in rows]
        content = runs_parquet([dict(zip(names, row, strict=True)) for row in cells])

        told = judged(ui, content, "runs.parquet").json

        assert told["questions"][0]["claims"] == judged(ui, RUNS).json["questions"][0]["claims"]

    def test_the_answer_is_the_report_of_siffra_judge(self, ui, tmp_path):
        file = tmp_path / "runs.csv"
        file.write_text(RUNS)
        ours = json.loads(siffra.judge(file).as_json())

        told = judged(ui, RUNS).json

        assert told["questions"][0]["claims"] == ours["questions"][0]["claims"]
        assert told["limits"] == ours["limits"]
        assert [note["text"] for note in told["data_notes"]] == [
            note["text"] for note in ours["data_notes"]
        ]
        own = {"rows", "columns", "seed", "pair_by", "curves"}
        assert set(told) - set(Report.model_fields) == own
        assert (told["rows"], told["seed"]) == (36, "seed")
        assert told["columns"] == ["lr", "seed", "val_loss", "accuracy"]
        assert told["command"].startswith("siffra judge runs.csv ")

    def test_its_roles_can_be_corrected(self, here):
        said = {"by": ["lr"], "seed": "seed", "metric": "accuracy", "better": "lower",
                "margin": 0.5, "baseline": {"lr": 1.0}}  # fmt: skip
        told = here(RUNS, **said)

        question = told["questions"][0]
        assert question["metrics"][0]["name"] == "accuracy"
        assert question["metrics"][0]["better"] == "lower"
        assert question["levels"][0]["knobs"] == {"lr": 1.0}
        assert verdicts(told) == ["no difference"] * 2

    def test_it_speaks_swedish(self, here):
        told = here(RUNS, lang="sv")

        assert told["language"] == "sv"
        assert told["questions"][0]["answer"].startswith("Visat")

    @pytest.mark.parametrize(
        ("name", "table"),
        [
            ("runs.tsv", RUNS.replace(",", "\t")),
            ("export", RUNS.replace(",", ";").replace(".", ",")),
            ("runs.csv", RUNS.encode("utf-16")),
            ("runs.jsonl", "\n".join(
                json.dumps(dict(zip(HEADER.split(","), map(float, row.split(",")), strict=True)))
                for row in RUNS.splitlines()[1:]
            )),
        ],
    )  # fmt: skip
    def test_tables_are_read_as_the_command_reads_them(self, here, name, table):
        assert verdicts(here(table, name)) == ["supported"] * 2

    def test_rows_for_each_epoch_are_curves(self, here):
        rows = [f"{lr},{seed},{epoch},{lr / epoch + seed / 100}" for lr in (0.1, 0.3)
                for seed in range(6) for epoch in (1, 2, 4)]  # fmt: skip
        told = here("\n".join(["lr,seed,epoch,val_loss", *rows]))

        (first, _) = told["curves"]["levels"]
        assert told["curves"]["metrics"] == ["val_loss"]
        assert first["band"]["val_loss"]["epochs"] == [1, 2, 4]
        assert first["band"]["val_loss"]["mean"] == pytest.approx([0.125, 0.075, 0.05])
        assert first["ends"]["val_loss"][5] == [4, pytest.approx(0.075)]

    def test_nothing_is_kept(self, ui):
        folder = ui.log.parent
        before = set(folder.rglob("*"))

        judged(ui, RUNS)
        judged(ui, "lr\n1\n")

        assert set(folder.rglob("*")) == before
        left = [path for path in Path(tempfile.gettempdir()).glob(".siffra-*.part")
                if list(path.glob("runs.csv"))]  # fmt: skip
        assert left == []
        assert ui.ask("/api/labs").json["labs"] == []

    def test_rows_and_pairs_may_be_said(self, here):
        told = here(RUNS, where=["lr < 1", "seed >= 4"], pair_by=["seed", "accuracy"])

        assert told["rows"] == 16
        assert told["pair_by"] == ["seed", "accuracy"]
        words = ("--where=lr < 1", "--where=seed >= 4", "--pair-by=seed,accuracy")
        assert all(word in told["command"] for word in words)
        assert "No two levels share a value of `seed`, `accuracy`" in " ".join(told["limits"])


class TestBadTables:
    @pytest.mark.parametrize(
        ("table", "why"),
        [
            ("", "it is empty"),
            ("lr,seed,loss\n", "no rows"),
            (b"\x00\xff\x01" * 99, "not text"),
            ("a,b\nx,y\n", "--metric NAME:higher"),
            (RUNS.replace("seed", "lr"), "two columns are called `lr`"),
        ],
    )
    def test_they_are_told_in_one_line_that_names_the_file_and_not_its_place(
        self, here, table, why
    ):
        told = here(table)

        assert told["error"] == "bad_table"
        assert why in told["why"]
        assert told["why"].startswith("runs.csv: ")
        assert "\n" not in told["why"]

    def test_they_are_told_in_the_language_of_the_page(self, here):
        for table in ("", "lr,seed,loss\n", "a,b\nx,y\n", RUNS.replace("0.1", '"0.1')):
            english, swedish = here(table), here(table, lang="sv")

            assert english["why"] != swedish["why"]
            assert "lang" not in english | swedish
        assert "ett citattecken öppnas på rad 2" in swedish["why"]

    def test_one_that_is_read_but_unclear_names_its_columns(self, ui):
        answer = judged(ui, RUNS, seed="none")

        assert answer.status == 200  # no failure of the page: its user says more of the table
        assert answer.json["error"] == "bad_table"
        assert answer.json["columns"] == HEADER.split(",")
        assert answer.json["rows"] == 36

    @pytest.mark.parametrize(
        "start",
        [
            b"\x1f\x8b",
            b"BZh9",
            b"\xfd7zXZ\0",
            b"SQLite format 3\0",
            b"PK\x03\x04",
            b"\x89PNG\r\n",
            b"%PDF-1.7",
        ],
    )
    @pytest.mark.parametrize(("lang", "said"), [("en", "not a table"), ("sv", "ingen tabell")])
    def test_what_is_no_table_is_not_even_opened(self, ui, start, lang, said):
        answer = judged(ui, start + b"x" * 100, lang=lang)

        assert answer.json["error"] == "bad_table"
        assert said in answer.json["why"]

    @pytest.mark.parametrize("table", [b"PAR1" + b"x" * 100, RUNS.encode()])
    def test_what_is_no_parquet_but_says_so_is_told_in_a_line(self, ui, table):
        answer = judged(ui, table, "runs.parquet")

        assert answer.json["error"] == "bad_table"
        assert "runs.parquet" in answer.json["why"]

    @pytest.mark.parametrize(
        "said",
        [{"margin": 0}, {"margin": -1}, {"margin": "1"}, {"better": "lower"}, {"path": "x"},
         {"better": "most", "metric": "lr"}, {"by": "lr"}, {"by": ["x"] * 101},
         {"baseline": {"lr": [1]}}, {"baseline": [1]}, {"seed": 1}, {"where": "lr = 1"}],
    )  # fmt: skip
    def test_what_cannot_be_said_of_any_is_refused(self, ui, said):
        answer = judged(ui, RUNS, **said)

        assert answer.status == 400
        assert answer.json == {"error": "bad_request"}


class TestHostileTables:
    CELLS = (
        "<script>alert(1)</script>", "=HYPERLINK(\"http://evil.example\")", "@SUM(1)", "-2+3",
        "\x1b[31mred\x07", "a\u202eb", "{{ 7 * 7 }}", "../../etc/passwd", "' OR 1=1",
    )  # fmt: skip

    @pytest.mark.parametrize("cell", CELLS)
    def test_cells_are_text_and_nothing_else(self, here, cell):
        told = here(RUNS.replace("\n0.3,", f"\n{quoted(cell)},"))

        assert len(told["questions"][0]["levels"]) == 3
        assert verdicts(told) == ["supported"] * 2

    @pytest.mark.parametrize("cell", CELLS)
    def test_names_of_columns_are_made_printable_where_a_message_has_them(self, here, cell):
        told = here(RUNS.replace("seed", quoted(cell), 1), by=["lr"], seed=cell[::-1])

        assert told["error"] == "bad_table"
        assert not set(told["why"]) & set("\x1b\x07\n\u202e")
        assert len(told["why"]) <= 1000

    def test_all_of_them_go_through_the_server_as_data(self, ui):
        before = ui.log.read_text()
        rows = [
            f"{quoted(cell)},{n},0.{n}{i}" for i, cell in enumerate(self.CELLS) for n in range(6)
        ]

        answer = judged(ui, "\n".join(["name,seed,loss", *rows]), by=["name"])

        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.json["questions"][0]["levels"]) == len(self.CELLS)
        assert ui.log.read_text() == before

    @pytest.mark.parametrize(
        "name", ["../../x.csv", "/etc/passwd", "..", "-rf", "--help", "a\nb.csv", "x" * 255, "",
                 "sqlite:///x.db", "http://evil.example/x.csv", "con\0.csv", "..\\x", "å" * 99],
    )  # fmt: skip
    def test_the_name_of_a_file_is_no_path_and_no_option(self, name):
        plain = file_name(name)

        assert not set(plain) & set("/\\\n\0:")
        assert plain[0] not in "-."
        assert len(plain.encode()) <= 240

    def test_a_file_is_called_so_in_its_answer(self, ui):
        answer = judged(ui, RUNS, "../../wandb export+1.csv").json

        assert answer["source"] == file_name("../../wandb export+1.csv") == "_.._wandb_export+1.csv"

    @pytest.mark.parametrize(
        ("name", "table"),
        [
            ("deep.json", b"[" * 200_000),
            ("number.json", b'[{"lr": ' + b"9" * 100_000 + b"}]"),
            ("quote.csv", b'lr,seed,loss\n"' + b"x" * 1_000_000),
            ("nul.csv", b"lr,seed,loss\n" + b"\0" * 1_000_000),
        ],
    )
    def test_one_that_is_made_to_break_a_reader_breaks_nothing(self, ui, name, table):
        answer = judged(ui, table, name)

        assert answer.status == 200
        assert answer.json["error"] in ("bad_table", "too_much")
        assert "Traceback" not in ui.log.read_text()

    def test_one_that_is_too_large_is_refused_before_it_is_read(self, ui):
        answer = ui.ask("/api/judge", raw=b"{}", Content_Length=str(2 * TABLE))

        assert answer.status == 413

    def test_the_server_answers_others_while_one_is_judged(self, ui):
        body = json.dumps({"table": base64.b64encode(RUNS.encode()).decode()}).encode()
        head = [f"{name}: {value}" for name, value in ui.head().items()]
        lines = ["POST /api/judge HTTP/1.1", *head, f"Content-Length: {len(body)}", "", ""]
        with socket.create_connection(("127.0.0.1", ui.port), timeout=300) as line:
            line.sendall("\r\n".join(lines).encode() + body)
            assert ui.ask("/api/jobs").status == 200
            line.setblocking(False)
            with pytest.raises(BlockingIOError):  # it was answered before the table was
                line.recv(1)
            line.settimeout(300)
            assert line.recv(12) == b"HTTP/1.1 200"


class TestBounds:
    """What a table's process may take, with less of it than usual."""

    def judged(self, table: str) -> dict[str, Any]:
        file = TableFile(table=base64.b64encode(table.encode()).decode())
        return json.loads(asyncio.run(judging.judged(file, page_words("en"))))

    def test_its_time(self, monkeypatch):
        monkeypatch.setattr(judging, "SECONDS", 0.1)

        assert self.judged(RUNS) == {"error": "too_much"}

    @pytest.mark.skipif(not judging._STATM.exists(), reason="memory is limited on Linux alone")
    def test_its_memory(self, monkeypatch):
        more = "judging._answer = lambda *_: bytes(judging.MEMORY)"
        code = f"from siffra.web import judging; {more}; judging.main()"
        monkeypatch.setattr(judging, "JUDGE", ("-P", "-c", code))

        assert self.judged(RUNS) == {"error": "too_much"}

    def test_its_answer(self, monkeypatch):
        code = "from siffra.web import judging; judging._LONGEST = 1000; judging.main()"
        monkeypatch.setattr(judging, "JUDGE", ("-P", "-c", code))

        assert self.judged(RUNS) == {"error": "too_much"}

    def test_a_reader_that_ends_its_process(self, monkeypatch, caplog):
        monkeypatch.setattr(judging, "JUDGE", ("-c", "import os; os.abort()"))

        assert self.judged(RUNS) == {"error": "too_much"}
        assert "SIGABRT" in caplog.text

    def test_a_fault_of_ours_is_logged_and_none_of_its_lines_goes_to_the_page(
        self, monkeypatch, caplog
    ):
        monkeypatch.setattr(judging, "JUDGE", ("-c", "raise KeyError('\\x1b[31m')"))

        with pytest.raises(ApiError) as refused:
            self.judged(RUNS)

        assert (refused.value.code, refused.value.why) == ("server", "")
        assert "KeyError" in caplog.text
        assert "\x1b" not in caplog.text
