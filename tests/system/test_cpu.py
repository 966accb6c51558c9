"""The CPU's name: generations are told apart, and runs from before that are still compared."""

import pytest

from siffra.system import cpu
from siffra.system.cpu import bare_name, cpu_name, first_cpu, has_model_number, name_among


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
