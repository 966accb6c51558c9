"""Reports that are written, side by side: two of them, or all of a class."""

from pathlib import Path

from siffra.report.class_view.render import PAGE, class_text, write_class
from siffra.report.comparison import comparison_text, write_comparison
from siffra.report.text.messages import words_in


def compare_reports(
    first: Path | str, second: Path | str, *, out: Path | str, language: str = "en"
) -> str:
    """Set two reports side by side, those of another preset, machine or version of siffra, say.

    Args:
        first: The folder of a report.
        second: That of the other.
        out: Write `comparison.html` and `comparison.md` to this folder.
        language: Of the comparison: `en` or `sv`.

    Returns:
        What changed, in a few lines.

    Raises:
        SiffraError: One of them cannot be read, or `out` cannot be written.
    """
    shown = write_comparison(Path(first), Path(second), Path(out), language)
    words = words_in(language)
    report = words("progress.report", path=Path(out) / "comparison.html")
    return f"{comparison_text(shown, words)}\n\n{report}"


def class_report(folder: Path | str, *, out: Path | str, language: str = "en") -> str:
    """Set the reports of a class side by side: claims, labs, verdicts.

    Args:
        folder: A folder with the reports, or their `results.json`, of any depth and names.
        out: Write `class.html`, `class.md` and `class.json` to this folder.
        language: Of the table: `en` or `sv`.

    Returns:
        The table in plain text.

    Raises:
        SiffraError: There is no report in `folder`, or `out` cannot be written.
    """
    words = words_in(language)
    shown = write_class(Path(folder), Path(out), language)
    return f"{class_text(shown, words)}\n\n{words('progress.report', path=Path(out) / PAGE)}"
