"""What a lab, or one question, found: to show, to write, and to go on with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType
from typing import TYPE_CHECKING, Any

from siffra.errors import SiffraError
from siffra.export.tables import Table, data_frame, table_rows
from siffra.lab.answers import Answers
from siffra.report.build import build
from siffra.report.model import Report
from siffra.report.model.claims import Claim
from siffra.report.render.notebook import lab_html
from siffra.report.render.terminal import lab_text
from siffra.report.text.messages import words_in
from siffra.report.text.provenance import all_records
from siffra.training.examination import Examined

if TYPE_CHECKING:
    import pandas as pd


def _renderer() -> ModuleType:
    import siffra.report.render.report as renderer  # brings matplotlib

    return renderer


@dataclass(frozen=True, slots=True, repr=False)
class LabResult:
    """What a lab, or one question, found: `answers` holds estimates, verdicts and records.

    `examined` has what is known of the networks themselves, of those that the plan examines.
    It is shown in `language`, `en` or `sv`, unless another is asked for.
    """

    answers: Answers
    examined: Examined | None = None
    language: str = "en"

    def write(self, out: Path | str, language: str | None = None) -> list[Path]:
        """Write the report (HTML, Markdown, JSON, CSV, Parquet, figures) to the folder `out`."""
        return _renderer().write_report(
            self.answers, Path(out), language or self.language, self.examined
        )

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every claim with its `verdict`, `grade`, `estimate` and `interval`."""
        return self._report().claims

    @property
    def chosen(self) -> dict[str, Any] | None:
        """The knobs that a search found to be best; None where nothing was searched."""
        question = self.answers.questions[0].question if self.answers.questions else None
        return dict(question.levels[0].knobs) if question and question.search else None

    @property
    def lacks_time(self) -> bool:
        """Whether the time budget was too short for a first look at any claim."""
        claims = [claim for question in self.answers.questions for claim in question.claims]
        reasons = {claim.reason for claim in claims if claim.verdict != "not tested"}
        return reasons == {"no time"}

    def check(self) -> int:
        """An exit code for scripts: 0 if every claim that is tested is supported.

        3 if any is refuted, or shown to make no difference where one is claimed; else 4. Of a
        search with a baseline, only what is claimed of that counts.
        """
        verdicts = {
            claim.verdict
            for question in self.answers.questions
            for claim in question.claims
            if claim.verdict != "not tested" and question.question.is_checked(claim.claim)
        }
        if verdicts & {"refuted", "no difference"}:
            return 3
        return 0 if verdicts == {"supported"} else 4

    def frame(self, table: Table = "scores") -> pd.DataFrame:
        """The lab's runs as a tidy pandas frame, with the `questions` that each belongs to.

        Args:
            table: `scores` (a row for each run and set), `epochs` (run and epoch) or `confusion`
                (run, set and pair of classes).

        Raises:
            SiffraError: No such table; or pandas is not installed.
        """
        return data_frame(table_rows(all_records(self.answers), table, self.answers))

    def as_json(self, language: str | None = None) -> str:
        """The content of the report's `results.json`; figures of given results are not in it."""
        words = words_in(language or self.language)
        if self.answers.plan.given:  # nothing is drawn of them but in a report
            return self._report(language).dump()
        return _renderer().report_of(self.answers, words, self.examined).dump()

    def text(self, language: str | None = None, *, verbose: bool = False) -> str:
        """What was found, in lines of plain text; of several questions in short or in full."""
        return lab_text(self._report(language), verbose=verbose)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        report = self._report()
        return f"<{type(self).__name__}: {report.title}\n {report.summary}>"

    def _repr_html_(self) -> str:
        return lab_html(self._report())

    def _report(self, language: str | None = None) -> Report:
        """The report without figures."""
        return build(self.answers, words_in(language or self.language), self.examined)


def expect_report(out: Path | str | None, language: str = "en") -> None:
    """Make the folder `out`, and check that a report can be written to it, before the training.

    Raises:
        SiffraError: It cannot, or not in this language.
    """
    words_in(language)
    if out is None:
        return
    if (suffix := Path(out).suffix.lower()) in (".html", ".pdf", ".md", ".json", ".csv", ".zip"):
        raise SiffraError(
            f"{out}: a report is a folder of several files, and no {suffix} file; name the folder, "
            f"{Path(out).with_suffix('').name}."
        )
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise SiffraError(f"{out}: the report cannot be written there: {reason}.") from error
