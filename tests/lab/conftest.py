"""What tests of labs share."""

import pytest
from blank import blank_dataset

from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions


@pytest.fixture
def planned(tmp_path):
    """Writes a lab file, and plans it on blank images."""

    def plan(content: str, **options):
        path = tmp_path / "my.toml"
        path.write_text(content)
        return plan_lab(read_lab(path), blank_dataset(), LabOptions(**options))

    return plan
