"""`siffra vary --command` is killed at any moment, a hundred times; see `test_kills`."""

import random
import sys

import pytest
from programs import Programs, expect_nothing_lost

pytestmark = [
    pytest.mark.storm,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]


@pytest.mark.parametrize("seed", range(100, 200))
def test_no_process_is_left_and_no_run_is_lost_or_made_twice(tmp_path, seed):
    folder = tmp_path / "work"
    folder.mkdir()
    expect_nothing_lost(Programs(folder, tmp_path / "runs.sqlite"), random.Random(seed))
