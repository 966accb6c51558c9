"""How threads wait is set before the first of them starts, unless the user has set it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("user", "expected"), [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_waiting_is_short_unless_the_user_says_otherwise(user, expected):
    script = "import os, siffra.data.shifts; print(os.environ['GOMP_SPINCOUNT'])"
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"} | user

    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == expected
