"""The question that siffra brings with its answer: what a new user sees before the first click."""

import gzip
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.lab.answers import Answers, answer
from siffra.report.text.messages import Words
from siffra.training.run import Record
from siffra.web.curves import curves_of
from siffra.web.labs import page_of, summed_up, title
from siffra.web.models import SHIPPED
from siffra.web.questions import Ask, plan_ask

ASK = Ask(vary={"learning_rate": [0.02, 0.7, 1]}, fixed={"model": "dense", "epochs": 3}, seeds=5)
"""The question: the one that the form shows first."""
FILE = SHIPPED / "example.json.gz"
"""Its runs, as `siffra.web.shipping` made them."""
RECORDS = TypeAdapter(list[Record])


@cache
def example(dataset: Dataset, words: Words) -> dict[str, Any]:
    """The lab of that question as the page shows any lab, and its curves."""
    answers = _answers(dataset)
    (answered,) = answers.questions
    runs = [record for level in answered.levels for record in level.records]
    line = {
        "id": "example",
        "title": title(answers.plan, words),
        "asked": max(record.finished for record in runs).isoformat(),
        "runs": len(runs),
        "have": len(runs),
        "ad_hoc": True,
        **summed_up(answers, words),
    }
    # How to repeat runs of a busy machine is of use where they were made.
    page = page_of(answers, line, ASK, words).model_copy(update={"busy_text": ""})
    return {"lab": page.model_dump(mode="json"), "curves": curves_of(answered, words)}


@cache
def _answers(dataset: Dataset) -> Answers:
    records = RECORDS.validate_json(gzip.decompress(FILE.read_bytes()))
    plan = plan_ask(ASK, dataset, DataSource())
    return answer(plan, {(record.setting, record.seed): record for record in records})
