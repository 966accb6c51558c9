"""The CPU: its name tells generations apart, and its cores are counted within quotas."""

import os

import pytest

from siffra.engine.native.engine import NativeEngine
from siffra.errors import ConfigError
from siffra.system import cpu
from siffra.system.cpu import (
    available_cores,
    bare_name,
    cpu_name,
    first_cpu,
    has_model_number,
    name_among,
    share_of_time,
)


@pytest.fixture
def told(tmp_path, monkeypatch):
    """`told(text)`: what Linux would tell of the CPUs is this text, or nothing."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(cpu, "_CPUINFO", path)

    def told(text: str | None) -> None:
        if text is not None:
            path.write_text(text, "utf-8")
        first_cpu.cache_clear()

    yield told
    first_cpu.cache_clear()


CPU = "processor\t: 0\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\n"


@pytest.mark.parametrize(
    ("family", "model", "name", "expected"),
    [
        (25, 17, "AMD EPYC", "AMD EPYC (family 25, model 17)"),
        (26, 2, "AMD EPYC", "AMD EPYC (family 26, model 2)"),
        (25, 1, "AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763 64-Core Processor"),
    ],
)
def test_generations_of_one_name_are_told_apart(told, family, model, name, expected):
    told("\n".join([CPU.format(family, model, name), CPU.format(6, 1, "another")]))

    assert cpu_name() == expected


@pytest.mark.parametrize("text", [None, "", "processor\t: 0\nCPU part\t: 0xd0c\n"])
def test_where_linux_tells_no_name_there_is_one_all_the_same(told, text):
    told(text)

    assert cpu_name()
    assert "family" not in cpu_name()


@pytest.mark.parametrize(
    "name",
    [
        "AMD EPYC 7763 64-Core Processor", "AMD EPYC 9R14", "AMD Ryzen 7 5800X 8-Core Processor",
        "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz",
        "Intel(R) Core(TM) Ultra 7 155H", "Intel(R) N100",
    ],
)  # fmt: skip
def test_a_model_number_is_seen(name):
    assert has_model_number(name)


@pytest.mark.parametrize(
    "name",
    [
        "AMD EPYC", "AMD EPYC-Milan-v1", "Intel(R) Xeon(R) CPU @ 2.20GHz", "Common KVM processor",
        "Intel Xeon Processor (Skylake, IBRS)", "QEMU Virtual CPU version 2.5+",
        "AMD EPYC 128-Core Processor",
    ],
)  # fmt: skip
def test_a_frequency_a_version_and_a_count_of_cores_are_none(name):
    assert not has_model_number(name)


def test_a_cpu_is_compared_by_its_bare_name_where_another_has_only_that():
    new, other = "AMD EPYC (family 26, model 2)", "AMD EPYC (family 25, model 17)"

    assert bare_name(new) == bare_name("AMD EPYC") == "AMD EPYC"
    assert name_among(new, {other}) == new
    assert name_among(new, {other, "AMD EPYC"}) == "AMD EPYC"
    assert name_among(new, {"Intel(R) N100"}) == new


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
    monkeypatch.setattr(cpu, "allowed_cores", lambda: 8)
    monkeypatch.setattr(cpu, "share_of_time", lambda: share)

    assert available_cores() == count


class TestTheEngineInAContainer:
    @pytest.fixture(autouse=True)
    def one_core(self, monkeypatch):
        monkeypatch.setattr(cpu, "share_of_time", lambda: 1.0)

    @pytest.mark.skipif("NUMBA_NUM_THREADS" in os.environ, reason="it is the default then")
    def test_has_as_many_threads_as_it_gets_the_time_of(self):
        assert NativeEngine().threads == 1

    @pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two threads")
    def test_may_be_given_more(self):
        assert NativeEngine(threads=2).threads == 2

    def test_cannot_have_more_than_there_are(self):
        with pytest.raises(ConfigError, match="this machine has 1 to"):
            NativeEngine(threads=10**6)
