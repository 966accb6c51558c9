"""What tests of labs share."""

import pytest
from blank import blank_dataset

from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab


@pytest.fixture
def planned(tmp_path):
    """Writes a lab file, and plans it on blank images."""

    def plan(content: str, **options):
        path = tmp_path / "my.toml"
        path.write_text(content)
        return plan_lab(read_lab(path), blank_dataset(), **options)

    return plan
