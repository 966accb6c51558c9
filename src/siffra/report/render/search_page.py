"""A search's report: a page, its figure, what was found as JSON, and the winner as a recipe."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from siffra.data.load import DataSource
from siffra.lab.stats.estimates import Estimate, Summary
from siffra.report.figures import front, style
from siffra.report.render.pages import html_page, write_folder
from siffra.report.text import numbers
from siffra.report.text.labels import SETS, knob_name, knobs_name, value_name
from siffra.report.text.messages import Words, words_in
from siffra.report.text.narrative import capital
from siffra.report.text.provenance import can_be_typed, data_options
from siffra.report.text.search_front import candidate_name, changed_of_recipe, front_table
from siffra.report.text.tables import Cell, Table
from siffra.search.answer import Finalist, SearchAnswer, as_json
from siffra.search.importance import Importance
from siffra.search.recipe_file import measured_in, recipe_text
from siffra.search.space import knob_of
from siffra.search.timing import FEWEST_STEPS
from siffra.training.test_time_averaging import VIEWS

RECIPE, MODEL = "winner.toml", "winner.safetensors"

_MOST_IMPORTANT = 8


@dataclass(frozen=True, slots=True)
class SearchView:
    """What the page shows, as texts and figures."""

    title: str
    summary: tuple[str, ...]
    drawing: style.Drawing
    caption: str
    front: Table | None
    front_note: str
    table: Table
    averaging: str
    no_study: str
    knobs: tuple[tuple[str, str], ...]
    repeat: str
    command: str
    proviso: str
    importance: tuple[tuple[str, str], ...]
    among: str
    unjudged: str
    methods: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def write_search(answer: SearchAnswer, model: Path, out: Path, language: str = "en") -> list[Path]:
    """Write what a search found to the folder `out`.

    Returns:
        `search.html`, `search.json`, `winner.toml` (a recipe), `winner.safetensors` (the model
        with seed 0, from the file `model`) and the figure; the page first.

    Raises:
        SiffraError: There is no such language, or `out` cannot be written.
    """
    words = words_in(language)
    shown = view(answer, words, out)
    contents = {
        "search.html": html_page("search.html", words, it=shown).encode("utf-8"),
        "search.json": search_json(answer).encode("utf-8"),
        RECIPE: winner_recipe(answer).encode("utf-8"),
        MODEL: model.read_bytes(),
        f"figures/{shown.drawing.name}.{shown.drawing.kind}": shown.drawing.content,
    }
    return write_folder(contents, out)


def search_json(answer: SearchAnswer) -> str:
    """All that was found, as JSON."""
    return json.dumps(as_json(answer), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def winner_recipe(answer: SearchAnswer) -> str:
    """The winner as a recipe file."""
    winner = answer.winner
    name = RECIPE.removesuffix(".toml")
    measured = measured_in(winner.records, answer.images, winner.average)
    return recipe_text(name, answer.asked.budget, winner.setting, answer.images, measured)


def search_text(answer: SearchAnswer, language: str = "en") -> str:
    """What a search found, in lines for a terminal."""
    from siffra.report.render.terminal import text_table

    words = words_in(language)
    lines = text_table(*_table(words, answer).texts)
    knobs = knobs_name(words, answer.winner.setting.knobs())
    blocks = [*_summary(words, answer), "\n".join(lines), _averaging(words, answer)]
    blocks.append(f"{words('search.knobs_head')}: {knobs}")
    return "\n\n".join(filter(None, blocks)).replace("\N{NO-BREAK SPACE}", " ")


def view(answer: SearchAnswer, words: Words, out: Path) -> SearchView:
    """Everything that the page in the folder `out` says; draws the figure."""
    with style.house_style():
        figure = front.draw(answer, words)
    asked = answer.asked
    knobs = answer.winner.setting.knobs()
    mattered = answer.importance
    important = sorted(mattered.shares.items(), key=lambda item: -item[1])[:_MOST_IMPORTANT]
    sets = words.listing(words(f"set.{name}") for name in asked.sets)
    budget = _span(words, asked.budget)
    records = [r for f in (answer.winner, *answer.rivals) for r in f.records]
    machine = answer.machine
    return SearchView(
        title=words("search.title", budget=budget),
        summary=tuple(_summary(words, answer)),
        drawing=style.finish(figure, "front"),
        caption=_caption(words, answer),
        front=front_table(words, answer),
        front_note=words.count("search.front_note", len(asked.sets)),
        table=_table(words, answer),
        averaging=_averaging(words, answer),
        no_study=words("search.no_study") if _has_reported(answer) else "",
        knobs=tuple((capital(knob_name(words, k)), value_name(words, v)) for k, v in knobs.items()),
        repeat=words("search.repeat" if _is_native(answer) else "search.repeat_torch"),
        command=_command(answer, out),
        proviso="" if can_be_typed(answer.source) else words("proviso.data"),
        importance=tuple(
            (capital(_parameter(words, name)), numbers.share(words, share, 0))
            for name, share in important
        ),
        among=_among(words, mattered),
        unjudged=_unjudged(words, mattered.unjudged),
        methods=(
            words("search.method_race", budget=budget),
            words("search.method_held_out", sets=sets, n=f"{answer.held_out}"),
            words("search.method_final"),
            words("search.method_training", images=f"{answer.images}"),
        ),
        facts=(
            (words("facts.runs"), words("search.runs", n=answer.runs, finals=len(records))),
            (words("facts.data"), answer.dataset),
            *((words("facts.note"), words.say(note.texts)) for note in answer.notes),
            (words("facts.engine"), f"{answer.engine} {answer.engine_version}"),
            (
                words("facts.machine"),
                words("facts.cores", cpu=machine.cpu, cores=machine.cores, threads=machine.threads),
            ),
        ),
    )


def _command(answer: SearchAnswer, out: Path) -> str:
    """The command that trains the winner again, where the search was run."""
    told = ["siffra", "train", "--recipe", str(out / RECIPE)]
    told += data_options(answer.source or DataSource())
    if not _is_native(answer):
        # Its name tells the device as well; the bits depend on the threads, unlike native ones.
        name, _, _ = answer.engine.partition("-")
        told += ["--engine", name, "--threads", str(answer.machine.threads)]
    return shlex.join(told)


def _is_native(answer: SearchAnswer) -> bool:
    return answer.engine == "native"


def _caption(words: Words, answer: SearchAnswer) -> str:
    told = [words("search.front")]
    if not all(reference.is_reported for reference in answer.study):
        told.append(words("search.front_study"))
    if _has_reported(answer):
        told.append(words("search.front_reported"))
    return " ".join(told)


def _has_reported(answer: SearchAnswer) -> bool:
    return any(reference.is_reported for reference in answer.study)


def _summary(words: Words, answer: SearchAnswer) -> list[str]:
    winner = answer.winner
    figures = words.listing(
        words(
            "search.figure_on",
            accuracy=numbers.accuracy(words, winner.accuracy[name]),
            set=words(f"set.{name}"),
        )
        for name in answer.asked.sets
    )
    told = words.count(
        "search.found",
        max(answer.raced, 1),
        spent=_span(words, answer.spent),
        number=winner.candidate,
        figures=figures,
        seconds=numbers.seconds(words, winner.seconds),
        seeds=len(winner.records),
    )
    if winner.origin:
        key = "search.shipped_changed" if changed_of_recipe(winner) else "search.shipped"
        told += " " + words(key, origin=winner.origin)
    notes = []
    if answer.timed_only:
        notes.append(words.count("search.timed_only", answer.timed_only))
    if answer.is_over_budget:
        notes.append(words("search.over_budget", budget=_span(words, answer.asked.budget)))
    if answer.raced < 2:
        notes.append(words("search.no_other" if answer.is_exhausted else "search.no_race"))
    notes += _left_out(words, answer)
    if (epochs := winner.setting.training.epochs) < 1:
        notes.append(words("search.part_seen", share=numbers.share(words, epochs, 0)))
    return [told, *notes, *_lead(words, answer)]


def _left_out(words: Words, answer: SearchAnswer) -> list[str]:
    """Which recipes took no part, and why."""
    told = []
    if answer.unfit:
        told.append(words("search.unfit", names=words.listing(answer.unfit)))
    if answer.slow:
        names, budget = words.listing(answer.slow), _span(words, answer.asked.budget)
        n = len(answer.slow)
        told.append(words.count("search.slow", n, names=names, steps=FEWEST_STEPS, budget=budget))
    if answer.untried:
        names = words.listing(answer.untried)
        told.append(words.count("search.untried", len(answer.untried), names=names))
    return told


def _lead(words: Words, answer: SearchAnswer) -> list[str]:
    """How the winner stands to its rival, in a paragraph; none where there is no rival."""
    told = []
    for rival in answer.rivals_unscored:
        name = candidate_name(words, rival)
        told += [words("search.unscored", rival=name), _in_race(words, answer, name)]
    if answer.rivals and answer.ahead:
        name = candidate_name(words, answer.rivals[0])
        told.append(_compared(words, answer.ahead, name))
        if len(answer.ahead.values) < 2:
            told.append(_in_race(words, answer, name))
    if answer.rivals_over_budget:
        told.append(_over_budget(words, answer, answer.rivals_over_budget[0]))
    return [" ".join(filter(None, told))] if told else []


def _in_race(words: Words, answer: SearchAnswer, rival: str) -> str:
    """The winner's lead on validation images, where the test sets cannot tell; if it is known."""
    if not (led := answer.lead_in_race):
        return ""
    lead = words.number(100 * led.mean, 2, signed=True)
    return words.count("search.in_race", led.seeds, rival=rival, lead=lead)


def _over_budget(words: Words, answer: SearchAnswer, rival: Finalist) -> str:
    return words(
        "search.rival_over",
        rival=candidate_name(words, rival),
        seconds=numbers.seconds(words, rival.seconds),
        budget=_span(words, answer.asked.budget),
    )


def _compared(words: Words, ahead: Estimate, rival: str) -> str:
    """How far the winner is ahead of a rival on the test sets."""
    if len(ahead.values) < 2:
        return words("search.single", rival=rival)
    lead, low, high = (
        words.number(100 * value, 2, signed=True) for value in (ahead.value, ahead.low, ahead.high)
    )
    key = "search.leads" if ahead.low > 0 else "search.behind" if ahead.high < 0 else "search.level"
    return words(key, rival=rival, lead=lead, low=low, high=high)


def _table(words: Words, answer: SearchAnswer) -> Table:
    """The finalists and the study's experiments, all on the test sets."""
    head = [Cell(capital(words("search.table_name")), "name")]
    sets = [name for name in SETS if name in answer.winner.accuracy]
    head += [Cell(f"{capital(words(f'set.{name}'))} (%)", "number") for name in sets]
    head += [Cell(capital(words("table.seconds")), "number"), Cell("n", "number")]
    names = [words("search.winner_row", name=candidate_name(words, answer.winner))]
    names += [capital(candidate_name(words, rival)) for rival in answer.rivals]
    rows = []
    for name, finalist in zip(names, (answer.winner, *answer.rivals), strict=True):
        rows.append(_row(words, name, sets, finalist.accuracy, finalist.seconds))
        if average := finalist.average:
            also = words("search.averaged_row", name=name, n=len(VIEWS))
            n = average.seeds
            rows.append(_row(words, also, sets, average.accuracy, finalist.seconds, n))
    for reference in answer.study:
        name = words.say(reference.name)
        how = words.count("search.epochs", int(reference.epochs))
        how = words("search.as_reported") if reference.is_reported else how
        rows.append(_row(words, f"{name}, {how}", sets, reference.accuracy, reference.seconds))
    columns = list(zip(*rows, strict=True))
    for i in range(1, len(sets) + 2):
        texts = numbers.align([cell.text for cell in columns[i]], words("decimal"))
        columns[i] = tuple(Cell(text, "number") for text in texts)
    return Table(tuple(head), tuple(zip(*columns, strict=True)))


def _averaging(words: Words, answer: SearchAnswer) -> str:
    """What the rows of averages are, what they cost, and which are missing; if there are any."""
    told = []
    if average := answer.winner.average:
        told.append(
            words(
                "search.averaging",
                turn=max(view.degrees for view in VIEWS),
                plain=numbers.seconds(words, average.plain_seconds),
                seconds=numbers.seconds(words, average.seconds),
                factor=numbers.factor(words, average.times_as_long),
            )
        )
    if answer.not_averaged:
        names = words.listing(candidate_name(words, each) for each in answer.not_averaged)
        told.append(words("search.no_averaging", names=names, n=len(VIEWS)))
    return " ".join(told)


def _row(
    words: Words,
    name: str,
    sets: Sequence[str],
    accuracy: Mapping[str, Summary],
    seconds: Summary,
    seeds: int | None = None,
) -> tuple[Cell, ...]:
    told = [numbers.accuracy_number(words, accuracy[each]) for each in sets]
    told.append(numbers.seconds_number(words, seconds))
    return (
        Cell(name, "name long"),
        *(Cell(text, "number") for text in told),
        Cell(str(seeds or len(seconds.values)), "number"),
    )


def _among(words: Words, mattered: Importance) -> str:
    """Which candidates it is known from: `the 31 candidates with the convolutional model`."""
    if not mattered.within:
        return words("search.among_all", n=mattered.candidates)
    kind = words.listing(knobs_name(words, {k: v}) for k, v in mattered.within.items())
    return words("search.among", n=mattered.candidates, kind=kind)


def _unjudged(words: Words, parameters: Sequence[str]) -> str:
    """What nothing can be said of, the layers of a knob together; nothing where there is none."""
    layers: dict[str, list[str]] = {}
    for name in parameters:
        knob, of = knob_of(name)
        layers.setdefault(knob if of.isdecimal() else name, []).append(of)
    told = [
        words("search.of_layers", knob=knob_name(words, name), n=words.listing(of))
        if len(of) > 1
        else _parameter(words, f"{name}_{of[0]}" if of[0].isdecimal() else name)
        for name, of in layers.items()
    ]
    return words("search.unjudged", names="; ".join(told)) if told else ""


def _parameter(words: Words, name: str) -> str:
    """`filters_2` as the knob's name with its layer, `learning_rate_muon` with its optimizer."""
    knob, of = knob_of(name)
    if of.isdecimal():
        return words("search.of_layer", knob=knob_name(words, knob), n=of)
    if of:
        return words("search.of_optimizer", knob=knob_name(words, knob), optimizer=of)
    return knob_name(words, knob)


def _span(words: Words, seconds: float) -> str:
    """`15 s`, `0.05 s`, `10 min`."""
    if seconds >= 120:
        return f"{words.number(seconds / 60)}\N{NO-BREAK SPACE}min"
    return f"{words.exact(round(seconds, 1 if seconds >= 1 else 3))}\N{NO-BREAK SPACE}s"
