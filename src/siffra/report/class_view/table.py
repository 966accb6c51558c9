"""The table of a class: whose claims are one claim, and what became of it in each lab.

Claims are one if they have one id and say, or are about, the same; else if they are about the same,
under whatever name; else if they say the same of the same knobs; else if they have one id in one
question, as where students write their own claims into a common file. Those of a row that are not
about what most of it is about, or not after as long a training, are shown apart and not counted.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence

from siffra.report.class_view.labs import ClassLab, LabClaim, plain
from siffra.report.differences import differing
from siffra.report.model.claims import DECIDED, VerdictsBy, count_grades
from siffra.report.model.measured import Part
from siffra.report.text.messages import Words, capital

FEW = 3
"""As many labs are named, of more their number is said."""
_UNKNOWN = "–"
"""In the place of a fact that a report does not have, as before its first run."""

_Place = tuple[int, LabClaim]
"""A claim with the number of its lab."""


class Lab(Part):
    """A lab: a column of the table."""

    name: str
    """Whose it is."""
    link: str
    """The address of its report; empty if there is none."""
    title: str
    course: str
    date: str
    preset: str
    epochs: str
    """The most epochs that the preset allows, or that it cuts nothing."""
    seeds: str
    """How many seeds: `5`, or `5–40`."""
    runs: int
    missing: int
    """How many runs are missing; its verdicts are provisional until they are made."""
    machine: str
    siffra: str
    """The version that made it."""
    tally: dict[str, int]
    """How many of its claims have which verdict and grade, by their code."""


class Cell(Part):
    """A claim's verdict in one lab."""

    code: str
    """Verdict and grade as one word."""
    verdict_text: str
    evidence: str
    """What it rests on, in the words of its report."""
    n: int
    """How many seeds."""
    link: str
    """The address of the question in its report; empty if there is none."""
    differs: str = ""
    """What it is about that most of the row is not about; empty of one that is counted."""


class Row(Part):
    """A claim that several labs make."""

    say: str
    by: str | None
    """Whose claim it is; null for the labs' authors."""
    cells: tuple[Cell | None, ...]
    """One a lab; null for a lab that does not make it."""
    verdicts: dict[str, int]
    """How many of those counted have which verdict and grade, by their code."""
    tested: int
    """In how many labs it was tested, of those counted."""
    supported: int
    """In how many of these it is supported."""
    sets_of_runs: int
    """How many of these have no run in common with the others: as often was it answered anew."""
    runs_text: str = ""
    """The same in words, where it is less often than there are labs."""
    disagrees: bool
    """Whether labs come to different verdicts."""


class Asked(Part):
    """A question with the claims that several labs make."""

    label: str
    ask: str
    rows: tuple[Row, ...]


class Lone(Part):
    """A claim that only one lab makes."""

    lab: int
    """The lab's index."""
    label: str
    """Its question's id."""
    say: str
    cell: Cell


class ClassView(Part):
    """The labs of a class."""

    schema_version: int = 1
    language: str
    title: str
    summary: str
    unlike: tuple[str, ...]
    """In what the labs were made differently: a sentence each."""
    notes: tuple[str, ...]
    """What was left out of the folder, and why."""
    labs: tuple[Lab, ...]
    questions: tuple[Asked, ...]
    alone: tuple[Lone, ...]

    @property
    def rows(self) -> list[Row]:
        """Those of all questions."""
        return [row for question in self.questions for row in question.rows]

    @property
    def disagreements(self) -> list[tuple[Asked, Row]]:
        """The claims of which labs come to different verdicts."""
        return [(q, row) for q in self.questions for row in q.rows if row.disagrees]

    def names_by_verdict(self, row: Row) -> dict[str, list[str]]:
        """The labs of a row that are counted and decided, by the code of their verdict."""
        names: dict[str, list[str]] = {c: [] for c in row.verdicts if c != "inconclusive"}
        for lab, cell in zip(self.labs, row.cells, strict=True):
            if cell and not cell.differs and cell.code in names:
                names[cell.code].append(lab.name)
        return names

    def dump(self) -> str:
        """The content of `class.json`."""
        return self.model_dump_json(indent=1) + "\n"


def class_view(labs: Sequence[ClassLab], words: Words, notes: Iterable[str] = ()) -> ClassView:
    """The labs side by side, their claims matched."""
    shared, single = [], []
    for row in _matched(labs):
        (shared if len(row) > 1 or len(labs) == 1 else single).append(row)
    questions = _questions(shared, labs, words)
    titles = Counter(lab.report.title for lab in labs)
    return ClassView(
        language=words.language,
        title=titles.most_common(1)[0][0] if labs else "",
        summary=_summary(labs, [row for q in questions for row in q.rows], words),
        unlike=_unlike(labs, words),
        notes=tuple(notes),
        labs=tuple(_lab(lab, words) for lab in labs),
        questions=questions,
        alone=tuple(
            Lone(lab=i, label=c.question.id, say=c.claim.say, cell=_cell(c, labs[i], words))
            for ((i, c),) in sorted(single, key=lambda row: row[0][0])
        ),
    )


def _matched(labs: Sequence[ClassLab]) -> list[list[_Place]]:
    """Rows of claims that are one claim, at most one a lab, in the order in which they come."""
    rows: list[list[_Place]] = []
    known: dict[Hashable, int] = {}
    for number, lab in enumerate(labs):
        keys = [[(n, key(claim)) for n, key in enumerate(_KEYS)] for claim in lab.claims]
        row_of: dict[int, int] = {}
        for surest in range(len(_KEYS)):
            for claim, of_claim in enumerate(keys):
                row = known.get(of_claim[surest])
                if claim not in row_of and row is not None and row not in row_of.values():
                    row_of[claim] = row
        for claim, of_claim in enumerate(keys):
            row = row_of.get(claim, len(rows))
            if row == len(rows):
                rows.append([])
            rows[row].append((number, lab.claims[claim]))
            for key in of_claim:
                known.setdefault(key, row)
    return rows


def _id(claim: LabClaim) -> tuple[str, str]:
    return claim.question.id, claim.claim.id


_KEYS: tuple[Callable[[LabClaim], Hashable], ...] = (
    lambda c: (*_id(c), plain(c.claim.say), c.meaning),
    lambda c: (*_id(c), plain(c.claim.say)),
    lambda c: (*_id(c), c.meaning),
    lambda c: c.meaning,
    lambda c: (plain(c.claim.say), *sorted(c.question.vary)),
    lambda c: (*_id(c), plain(c.question.ask)),
)
"""By what claims are matched, the surest first."""


def _questions(
    rows: Sequence[Sequence[_Place]], labs: Sequence[ClassLab], words: Words
) -> tuple[Asked, ...]:
    groups: dict[Hashable, list[tuple[LabClaim, Row]]] = {}
    for row in rows:
        usual = _usual(row)
        asked = usual.question.id, *sorted(usual.question.vary)
        groups.setdefault(asked, []).append((usual, _row(row, usual, labs, words)))
    return tuple(
        Asked(
            label=group[0][0].question.id,
            ask=group[0][0].question.ask,
            rows=tuple(row for _, row in group),
        )
        for group in groups.values()
    )


def _usual(row: Sequence[_Place]) -> LabClaim:
    """A claim that is about what most of the row is about, after as long a training."""
    kinds = Counter((claim.meaning, claim.epochs) for _, claim in row)
    (kind, _), *_ = kinds.most_common(1)
    return next(claim for _, claim in row if (claim.meaning, claim.epochs) == kind)


def _row(row: Sequence[_Place], usual: LabClaim, labs: Sequence[ClassLab], words: Words) -> Row:
    cells: list[Cell | None] = [None] * len(labs)
    for i, claim in row:
        cells[i] = _cell(claim, labs[i], words, _differs(claim, usual, words))
    counted = [
        claim for i, claim in row if (cell := cells[i]) and not cell.differs and _is_tested(claim)
    ]
    grades = count_grades(claim.claim for claim in counted)
    decided = {claim.claim.verdict for claim in counted if claim.claim.verdict in DECIDED}
    sets = _sets_of_runs(counted)
    return Row(
        say=usual.claim.say,
        by=usual.claim.by,
        cells=tuple(cells),
        verdicts=VerdictsBy(by=None, **grades).tally,
        tested=len(counted),
        supported=grades["verdicts"]["supported"],
        sets_of_runs=sets,
        runs_text=words.count("class.sets_of_runs", sets) if sets < len(counted) else "",
        disagrees=len(decided) > 1,
    )


def _cell(claim: LabClaim, lab: ClassLab, words: Words, differs: str = "") -> Cell:
    decided = claim.claim
    is_short = decided.verdict == "not tested" and decided.reason == "too short"
    return Cell(
        code=decided.code,
        verdict_text=words("verdict.too_short" if is_short else f"verdict.{decided.code}"),
        evidence=decided.evidence,
        n=decided.n,
        link=lab.link_to(claim.question.id),
        differs=differs,
    )


def _is_tested(claim: LabClaim) -> bool:
    return claim.claim.verdict != "not tested"


def _differs(claim: LabClaim, usual: LabClaim, words: Words) -> str:
    """What of a claim is not as in most of its row, in words."""
    parts = []
    if claim.meaning != usual.meaning:
        both = usual.question, claim.question
        length = words("compare.part.epochs")
        parts = [
            part for part in differing(usual.claim, claim.claim, both, words) if part != length
        ]
    if claim.epochs != usual.epochs:
        epochs = words.listing(map(words.exact, claim.epochs)) or words("unknown")
        parts.append(words("class.epochs", epochs=epochs))
    return "; ".join(parts)


def _sets_of_runs(claims: Iterable[LabClaim]) -> int:
    """How many groups of claims there are that have no run in common with another."""
    groups: list[frozenset[str]] = []
    for claim in claims:
        merged, others = claim.runs, []
        for group in groups:
            if group.isdisjoint(claim.runs):
                others.append(group)
            else:
                merged |= group
        groups = [*others, merged]
    return len(groups)


def _lab(lab: ClassLab, words: Words) -> Lab:
    report = lab.report
    facts = _facts(lab, words)
    return Lab(
        name=lab.name,
        link=lab.link,
        course=report.course,
        date=report.date,
        runs=report.runs,
        missing=report.missing,
        tally=VerdictsBy(by=None, **count_grades(c.claim for c in lab.claims)).tally,
        **facts,
    )


def _facts(lab: ClassLab, words: Words) -> dict[str, str]:
    """What may differ between the labs of a class, by the names of the catalogue."""
    report = lab.report
    looks = [look.seeds for look in report.looks]
    seeds = f"{len(report.seeds)}–{looks[-1]}" if looks else str(len(report.seeds))
    return {
        "title": report.title,
        "preset": report.preset,
        "epochs": words("class.uncut") if report.epochs is None else str(report.epochs),
        "seeds": seeds,
        "machine": report.machine.cpu if report.machine else _UNKNOWN,
        "siffra": report.versions.get("siffra", _UNKNOWN),
    }


def _unlike(labs: Sequence[ClassLab], words: Words) -> tuple[str, ...]:
    """In what the labs were not made alike: a sentence each, the most frequent way first."""
    facts = [_facts(lab, words) for lab in labs]
    sentences = []
    for name in facts[0] if facts else ():
        ways: dict[str, list[str]] = {}
        for lab, fact in zip(labs, facts, strict=True):
            if fact[name] != _UNKNOWN:
                ways.setdefault(fact[name], []).append(lab.name)
        if len(ways) > 1:
            parts = [
                words("class.way", way=way, labs=_who(names, words))
                for way, names in sorted(ways.items(), key=lambda way: -len(way[1]))
            ]
            sentences.append(f"{capital(words(f'class.fact.{name}'))}: {'; '.join(parts)}.")
    if incomplete := [lab.name for lab in labs if lab.report.missing]:
        sentences.append(words("class.incomplete", labs=_who(incomplete, words)))
    return tuple(sentences)


def _who(names: Sequence[str], words: Words) -> str:
    return words.listing(names) if len(names) <= FEW else words.count("class.labs", len(names))


def _summary(labs: Sequence[ClassLab], rows: Sequence[Row], words: Words) -> str:
    sentences = [words.count("class.labs_there", len(labs))]
    if len(labs) == 1:
        sentences.append(words.count("class.all_claims", len(rows)))
    else:
        sentences.append(words.count("class.claims", len(rows)) if rows else words("class.none"))
    if len(labs) > 1 and rows:
        disagreed = sum(row.disagrees for row in rows)
        sentences.append(
            words.count("class.disagree", disagreed) if disagreed else words("class.agree")
        )
    all_runs = sum(len(lab.runs) for lab in labs)
    different = len(frozenset[str]().union(*(lab.runs for lab in labs)))
    if different < all_runs:
        sentences.append(words("class.shared", all=all_runs, different=different))
    return " ".join(sentences)
