"""A search's report: a page, its figure, what was found as JSON, and the winner as a recipe."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from siffra.data.load import DataSource
from siffra.engine.base import EngineName
from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.summaries import Summary
from siffra.report.drawing import Drawing
from siffra.report.figures import front, style
from siffra.report.render.pages import html_page, write_folder
from siffra.report.render.terminal import text_table
from siffra.report.text import numbers
from siffra.report.text.labels import SETS, knob_name, knobs_name, value_name
from siffra.report.text.messages import Words, capital, words_in
from siffra.report.text.provenance import can_be_typed, data_options
from siffra.report.text.search_front import candidate_name, changed_of_recipe, front_table
from siffra.report.text.tables import Cell, Table
from siffra.search.importance import Importance
from siffra.search.recipe_file import measured_in, recipe_text
from siffra.search.result import Finalist, SearchResult
from siffra.search.space import knob_of
from siffra.search.throughput import FEWEST_STEPS
from siffra.training.test_time_averaging import VIEWS

RECIPE, MODEL = "winner.toml", "winner.safetensors"

_MOST_IMPORTANT = 8


def write_search(result: SearchResult, out: Path, language: str = "en") -> list[Path]:
    """Write what a search found to the folder `out`.

    Returns:
        `search.html`, `search.json`, `winner.toml` (a recipe), `winner.safetensors` (the model
        with seed 0) and the figure; the page first.

    Raises:
        SiffraError: There is no such language, or `out` cannot be written.
    """
    words = words_in(language)
    with style.house_style():
        drawing = style.finish(front.draw(result, words), "front")
    page = html_page("search.html", words, it=_page(result, words, out, drawing))
    payload = json.dumps(result.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
    contents = {
        "search.html": page.encode("utf-8"),
        "search.json": f"{payload}\n".encode(),
        RECIPE: winner_recipe(result).encode("utf-8"),
        MODEL: result.winner.model.read_bytes(),
        f"figures/{drawing.name}.{drawing.kind}": drawing.content,
    }
    return write_folder(contents, out)


def winner_recipe(result: SearchResult) -> str:
    """The winner as a recipe file."""
    winner = result.winner
    name = RECIPE.removesuffix(".toml")
    measured = measured_in(winner.records, result.images, winner.average)
    return recipe_text(name, result.spec.budget, winner.setting, result.images, measured)


def search_text(result: SearchResult, language: str = "en") -> str:
    """What a search found, in lines for a terminal."""
    words = words_in(language)
    lines = text_table(*_table(words, result).texts)
    knobs = knobs_name(words, result.winner.setting.knobs())
    blocks = [*_summary(words, result), "\n".join(lines), _averaging(words, result)]
    blocks.append(f"{words('search.knobs_head')}: {knobs}")
    return "\n\n".join(filter(None, blocks)).replace("\N{NO-BREAK SPACE}", " ")


def _page(result: SearchResult, words: Words, out: Path, drawing: Drawing) -> dict[str, Any]:
    """Everything that the page in the folder `out` says, as its template calls it."""
    spec = result.spec
    knobs = result.winner.setting.knobs()
    mattered = result.importance
    important = sorted(mattered.shares.items(), key=lambda item: -item[1])[:_MOST_IMPORTANT]
    sets = words.listing(words(f"set.{name}") for name in spec.sets)
    budget = _span(words, spec.budget)
    records = [r for f in (result.winner, *result.rivals) for r in f.records]
    machine = result.machine
    return {
        "title": words("search.title", budget=budget),
        "summary": tuple(_summary(words, result)),
        "drawing": drawing,
        "caption": _caption(words, result),
        "front": front_table(words, result),
        "front_note": words.count("search.front_note", len(spec.sets)),
        "table": _table(words, result),
        "averaging": _averaging(words, result),
        "no_study": words("search.no_study") if _has_reported(result) else "",
        "knobs": tuple(
            (capital(knob_name(words, k)), value_name(words, v)) for k, v in knobs.items()
        ),
        "repeat": words("search.repeat" if _is_native(result) else "search.repeat_torch"),
        "command": _command(result, out),
        "proviso": "" if can_be_typed(result.source) else words("proviso.data"),
        "importance": tuple(
            (capital(_parameter(words, name)), numbers.share(words, share, 0))
            for name, share in important
        ),
        "among": _among(words, mattered),
        "unjudged": _unjudged(words, mattered.unjudged),
        "methods": (
            words("search.method_race", budget=budget),
            words("search.method_held_out", sets=sets, n=f"{result.held_out}"),
            words("search.method_final"),
            words("search.method_training", images=f"{result.images}"),
        ),
        "facts": (
            (words("facts.runs"), words("search.runs", n=result.runs, finals=len(records))),
            (words("facts.data"), result.dataset),
            *((words("facts.note"), words.say(note.texts)) for note in result.notes),
            (words("facts.engine"), f"{result.engine} {result.engine_version}"),
            (
                words("facts.machine"),
                words("facts.cores", cpu=machine.cpu, cores=machine.cores, threads=machine.threads),
            ),
        ),
    }


def _command(result: SearchResult, out: Path) -> str:
    """The command that trains the winner again, where the search was run."""
    command = ["siffra", "train", "--recipe", str(out / RECIPE)]
    command += data_options(result.source or DataSource())
    if not _is_native(result):
        # The bits depend on the threads, unlike native ones.
        kind = EngineName.parse(result.engine).kind
        command += ["--engine", kind, "--threads", str(result.machine.threads)]
    return shlex.join(command)


def _is_native(result: SearchResult) -> bool:
    return result.engine == "native"


def _caption(words: Words, result: SearchResult) -> str:
    sentences = [words("search.front")]
    if not all(reference.is_reported for reference in result.references):
        sentences.append(words("search.front_study"))
    if _has_reported(result):
        sentences.append(words("search.front_reported"))
    return " ".join(sentences)


def _has_reported(result: SearchResult) -> bool:
    return any(reference.is_reported for reference in result.references)


def _summary(words: Words, result: SearchResult) -> list[str]:
    winner = result.winner
    figures = words.listing(
        words(
            "search.figure_on",
            accuracy=numbers.accuracy(words, winner.accuracy[name]),
            set=words(f"set.{name}"),
        )
        for name in result.spec.sets
    )
    answer = words.count(
        "search.found",
        max(result.raced, 1),
        spent=_span(words, result.spent),
        number=winner.candidate,
        figures=figures,
        seconds=numbers.seconds(words, winner.seconds),
        seeds=len(winner.records),
    )
    if winner.origin:
        key = "search.shipped_changed" if changed_of_recipe(winner) else "search.shipped"
        answer += " " + words(key, origin=winner.origin)
    notes = []
    if result.timed_only:
        notes.append(words.count("search.timed_only", result.timed_only))
    if result.is_over_budget:
        notes.append(words("search.over_budget", budget=_span(words, result.spec.budget)))
    if result.raced < 2:
        notes.append(words("search.no_other" if result.is_exhausted else "search.no_race"))
    notes += _left_out(words, result)
    if (epochs := winner.setting.training.epochs) < 1:
        notes.append(words("search.part_seen", share=numbers.share(words, epochs, 0)))
    return [answer, *notes, *_lead(words, result)]


def _left_out(words: Words, result: SearchResult) -> list[str]:
    """Which recipes took no part, and why."""
    sentences = []
    if result.unfit:
        sentences.append(words("search.unfit", names=words.listing(result.unfit)))
    if result.slow:
        names, budget = words.listing(result.slow), _span(words, result.spec.budget)
        n = len(result.slow)
        sentences.append(
            words.count("search.slow", n, names=names, steps=FEWEST_STEPS, budget=budget)
        )
    if result.untried:
        names = words.listing(result.untried)
        sentences.append(words.count("search.untried", len(result.untried), names=names))
    return sentences


def _lead(words: Words, result: SearchResult) -> list[str]:
    """How the winner stands to its rival, in a paragraph; none where there is no rival."""
    sentences = []
    for rival in result.rivals_unscored:
        name = candidate_name(words, rival)
        sentences += [words("search.unscored", rival=name), _in_race(words, result, name)]
    if result.rivals and result.ahead:
        name = candidate_name(words, result.rivals[0])
        sentences.append(_compared(words, result.ahead, name))
        if len(result.ahead.values) < 2:
            sentences.append(_in_race(words, result, name))
    if result.rivals_over_budget:
        sentences.append(_over_budget(words, result, result.rivals_over_budget[0]))
    return [" ".join(filter(None, sentences))] if sentences else []


def _in_race(words: Words, result: SearchResult, rival: str) -> str:
    """The winner's lead on validation images, where the test sets cannot tell; if it is known."""
    if not (led := result.lead_in_race):
        return ""
    lead = words.number(100 * led.mean, 2, signed=True)
    return words.count("search.in_race", led.seeds, rival=rival, lead=lead)


def _over_budget(words: Words, result: SearchResult, rival: Finalist) -> str:
    return words(
        "search.rival_over",
        rival=candidate_name(words, rival),
        seconds=numbers.seconds(words, rival.seconds),
        budget=_span(words, result.spec.budget),
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


def _table(words: Words, result: SearchResult) -> Table:
    """The finalists and the study's experiments, all on the test sets."""
    head = [Cell(capital(words("search.table_name")), "name")]
    sets = [name for name in SETS if name in result.winner.accuracy]
    head += [Cell(f"{capital(words(f'set.{name}'))} (%)", "number") for name in sets]
    head += [Cell(capital(words("table.seconds")), "number"), Cell("n", "number")]
    names = [words("search.winner_row", name=candidate_name(words, result.winner))]
    names += [capital(candidate_name(words, rival)) for rival in result.rivals]
    rows = []
    for name, finalist in zip(names, (result.winner, *result.rivals), strict=True):
        rows.append(_row(words, name, sets, finalist.accuracy, finalist.seconds))
        if average := finalist.average:
            also = words("search.averaged_row", name=name, n=len(VIEWS))
            n = average.seeds
            rows.append(_row(words, also, sets, average.accuracy, finalist.seconds, n))
    for reference in result.references:
        name = words.say(reference.name)
        how = words.count("search.epochs", int(reference.epochs))
        how = words("search.as_reported") if reference.is_reported else how
        rows.append(_row(words, f"{name}, {how}", sets, reference.accuracy, reference.seconds))
    columns = list(zip(*rows, strict=True))
    for i in range(1, len(sets) + 2):
        texts = numbers.align([cell.text for cell in columns[i]], words("decimal"))
        columns[i] = tuple(Cell(text, "number") for text in texts)
    return Table(tuple(head), tuple(zip(*columns, strict=True)))


def _averaging(words: Words, result: SearchResult) -> str:
    """What the rows of averages are, what they cost, and which are missing; if there are any."""
    sentences = []
    if average := result.winner.average:
        sentences.append(
            words(
                "search.averaging",
                turn=max(view.degrees for view in VIEWS),
                plain=numbers.seconds(words, average.plain_seconds),
                seconds=numbers.seconds(words, average.seconds),
                factor=numbers.factor(words, average.times_as_long),
            )
        )
    if result.not_averaged:
        names = words.listing(candidate_name(words, each) for each in result.not_averaged)
        sentences.append(words("search.no_averaging", names=names, n=len(VIEWS)))
    return " ".join(sentences)


def _row(
    words: Words,
    name: str,
    sets: Sequence[str],
    accuracy: Mapping[str, Summary],
    seconds: Summary,
    seeds: int | None = None,
) -> tuple[Cell, ...]:
    texts = [numbers.accuracy_number(words, accuracy[each]) for each in sets]
    texts.append(numbers.seconds_number(words, seconds))
    return (
        Cell(name, "name long"),
        *(Cell(text, "number") for text in texts),
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
    names = [
        words("search.of_layers", knob=knob_name(words, name), n=words.listing(of))
        if len(of) > 1
        else _parameter(words, f"{name}_{of[0]}" if of[0].isdecimal() else name)
        for name, of in layers.items()
    ]
    return words("search.unjudged", names="; ".join(names)) if names else ""


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
