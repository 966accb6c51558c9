"""Trains the models that siffra brings for its playground, as their list says, and its example.

`python -m siffra.web.shipping [--all]`
"""

import gzip
import sys
import tomllib

from siffra.api import make_engine
from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.data.load import DataSource, load_dataset
from siffra.report.render.terminal import percent
from siffra.system.terminal import echo
from siffra.training.diagnostics import examine
from siffra.training.model_file import load_model, save_model
from siffra.training.run import run
from siffra.web.example import ASK, FILE, RECORDS
from siffra.web.models import SHIPPED
from siffra.web.questions import plan_ask


def main() -> None:
    """Train what has no file yet, with `--all` everything; examine every model."""
    listed = tomllib.loads((SHIPPED / "models.toml").read_text("utf-8"))
    dataset, engine = load_dataset(), make_engine()
    for name, model in listed.items():
        file = SHIPPED / f"{name}.safetensors"
        if "--all" in sys.argv or not file.exists():
            recipe = find_recipe(model["recipe"]).knobs if "recipe" in model else {}
            setting = Setting.from_knobs({**recipe, **model["knobs"]}, where=name)
            record, fitted = run(setting, dataset, model["seed"], engine)
            save_model(file, fitted, record, dataset)
        saved = load_model(file)
        fitted = engine.load(saved.setting.model, saved.image_shape, saved.classes, saved.weights)
        examination = examine(fitted, dataset)
        file.with_suffix(".json").write_text(examination.model_dump_json() + "\n", "utf-8")
        accuracies = ", ".join(f"{s} {percent(share)}" for s, share in saved.accuracy.items())
        echo(f"{name}: {accuracies}")
    if "--all" in sys.argv or not FILE.exists():
        plan = plan_ask(ASK, dataset, DataSource())
        records = [run(each.setting, dataset, each.seed, engine)[0] for each in plan.runs]
        # Without a time in its header the same runs are the same file.
        FILE.write_bytes(gzip.compress(RECORDS.dump_json(records), mtime=0))
        echo(f"{FILE.name}: {len(records)} runs")


if __name__ == "__main__":
    main()
