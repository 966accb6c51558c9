"""The cores that a container gets, from control groups that are made up."""

import os

import pytest

from siffra.engine.native.engine import NativeEngine
from siffra.errors import ConfigError
from siffra.system import cores
from siffra.system.cores import available_cores, share_of_time


@pytest.fixture
def groups(tmp_path):
    """`groups(own, {file: text})`: the share of a process that is in the groups `own`."""

    def share(own: str, files: dict[str, str]) -> float | None:
        root = tmp_path / "groups"
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (tmp_path / "own").write_text(own)
        return share_of_time(root, tmp_path / "own")

    return share


UNLIMITED = {"cpu.max": "max 100000\n"}
V1 = "4:memory:/\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


@pytest.mark.parametrize(
    ("own", "files", "share"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", UNLIMITED, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, 2.0),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/a\n", {"other/cpu.max": "50000 100000\n"}, None),
        ("0::/../../x\n", {"cpu.max": "300000 100000\n"}, 3.0),
        ("2:cpu:/\n0::/\n", {"unified/cpu.max": "70000 100000\n"}, 0.7),
        (
            V1,
            {
                "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "400000\n",
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            4.0,
        ),
        # In a container its own group is mounted at the root, though it is told the host's path.
        (V1, {"cpu/cpu.cfs_quota_us": "25000\n", "cpu/cpu.cfs_period_us": "50000\n"}, 0.5),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("0::/\n", {"cpu.max": "100000 0\n"}, None),
        ("0::/\n", {"cpu.max": "nonsense\n"}, None),
        ("nonsense\n", {"cpu.max": "nonsense\n"}, None),
    ],
    ids=str,
)
def test_the_least_limit_around_a_process_counts(groups, own, files, share):
    assert groups(own, files) == share


def test_elsewhere_than_on_linux_there_is_no_limit(tmp_path):
    assert share_of_time(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(("share", "count"), [(None, 8), (0.2, 1), (1.9, 1), (2.0, 2), (64, 8)])
def test_a_part_of_a_core_is_left_out(monkeypatch, share, count):
    monkeypatch.setattr(cores, "allowed_cores", lambda: 8)
    monkeypatch.setattr(cores, "share_of_time", lambda: share)

    assert available_cores() == count


class TestTheEngineInAContainer:
    @pytest.fixture(autouse=True)
    def one_core(self, monkeypatch):
        monkeypatch.setattr(cores, "share_of_time", lambda: 1.0)

    @pytest.mark.skipif("NUMBA_NUM_THREADS" in os.environ, reason="it is the default then")
    def test_has_as_many_threads_as_it_gets_the_time_of(self):
        assert NativeEngine().threads == 1

    @pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two threads")
    def test_may_be_given_more(self):
        assert NativeEngine(threads=2).threads == 2

    def test_cannot_have_more_than_there_are(self):
        with pytest.raises(ConfigError, match="this machine has 1 to"):
            NativeEngine(threads=10**6)
