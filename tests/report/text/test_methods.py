"""The methods page says what this lab did, and nothing that it did not."""

from dataclasses import replace

from report.fake_answers import make_answers, make_claim, make_question
from report.fake_examinations import make_examined

from siffra.lab.answers import Answers, Look
from siffra.report.text.messages import words_in
from siffra.report.text.methods import facts, methods
from siffra.report.text.provenance import all_records

LAB = make_answers(
    [
        make_question(
            "a",
            [{"neurons": n} for n in (8, 16)],
            claims=[make_claim("a1", "8 are better."), make_claim("a2", "16 are not.")],
        )
    ],
    seeds=3,
)


def told(answers: Answers, examined=None) -> dict[str, str]:
    found = methods(words_in("en"), answers, all_records(answers), examined)
    return {method.title: " ".join(method.paragraphs) for method in found}


def test_a_plain_lab_is_told_of_plainly():
    found = told(LAB)

    assert found["Runs and seeds"].startswith("Every setting was trained 3 times, with seeds 0, 1")
    assert "Limitations" in found
    for absent in ("Interim looks", "Network diag"):
        assert not any(title.startswith(absent) for title in found)


def test_it_is_told_that_the_test_images_were_not_drawn_anew():
    runs = all_records(LAB)
    split = [r.model_copy(update={"fingerprint": str(r.seed)}) for r in runs]

    for language, said in (
        ("en", "not between sets of test images"),
        ("sv", "inte mellan uppsättningar av testbilder"),
    ):
        words = words_in(language)
        for records in (runs, split):
            first, *_ = methods(words, LAB, records, None)
            assert first.paragraphs[-1].endswith(f"{said}.")


def test_looks_are_told_with_their_schedule():
    looks = (Look(3, 0.001, 1, 1), Look(6, 0.05, 1, 0))
    found = told(replace(LAB, looks=looks))

    assert "first trained with 3 seeds" in found["Runs and seeds"]
    assert "at 3 and 6 seeds" in found["Interim looks"]
    assert "decided early tend to be overestimated" in found["Interim looks"]


def test_retuned_knobs_are_told_of_with_how_they_were_chosen():
    (found,) = LAB.questions
    asked = replace(found.question, retune=("learning_rate", "batch_size"))
    retuned = replace(LAB, questions=(replace(found, question=asked),))

    said = told(retuned)["Retuned knobs"]
    assert "tuned for each level: learning rate and batch size." in said
    assert "best mean validation accuracy over those was chosen" in said
    assert "Retuned knobs" not in told(LAB)


def test_examined_networks_are_told_with_the_number_of_images():
    found = told(LAB, make_examined(LAB))

    assert "are based on 40 test images and maps on 40" in found["Network diagnostics"]


def test_runs_that_shared_a_machine_are_told_of():
    shared = [
        record.model_copy(update={"machine": record.machine.model_copy(update={"jobs": 4})})
        for record in all_records(LAB)
    ]

    for language, at_once in (("en", "up to 4"), ("sv", "upp till 4")):
        words = words_in(language)
        parts = {m.title: " ".join(m.paragraphs) for m in methods(words, LAB, shared, None)}
        assert at_once in parts[words("methods_title.pairs")]
        assert words("methods.times_shared") in parts[words("methods_title.times")]
        assert at_once in dict(facts(words, LAB, shared, None))[words("facts.machine")]
    assert "one at a time" in told(LAB)["Paired comparisons"]
