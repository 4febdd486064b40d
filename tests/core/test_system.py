import os
import stat

from utta.core import system


def test_this_machine_has_cores_memory_and_disk(tmp_path):
    assert 1 <= system.cpu_cores() <= (os.cpu_count() or 1)
    assert system.memory() is None or system.memory() > 1 << 20
    assert system.free_disk(tmp_path) > 0


def test_the_peak_of_memory_holds_what_was_held():
    held = b"x" * (64 << 20)
    assert len(held) <= system.peak_memory() < 1 << 45


def test_bf16_is_read_from_the_flags(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(system, "CPUINFO", cpuinfo)
    assert system.bf16_flags() == []
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16 amx_bf16\nbugs\t\t: bf16\n")
    assert system.bf16_flags() == ["amx_bf16", "avx512_bf16"]
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert system.bf16_flags() == ["bf16"]
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n")
    assert system.bf16_flags() == []


def test_a_container_limit_counts_as_the_memory(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(system, "CGROUP_MEMORY", (limit,))
    whole = system.memory()
    limit.write_text("max\n")
    assert system.memory() == whole
    limit.write_text("1048576\n")
    assert system.memory() == 1 << 20


def test_gpus_come_from_nvidia_smi(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system.gpus() == []
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559 MiB'\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    assert system.gpus() == ["NVIDIA H100 80GB HBM3, 81559 MiB"]
    command.write_text("#!/bin/sh\necho 'no driver'\nexit 9\n")
    assert system.gpus() == []
