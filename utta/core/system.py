"""Facts about this machine: cores, bf16, memory, disk, GPUs. Linux tells all of them; elsewhere some are unknown.

Nothing here imports torch or measures a speed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Flags of /proc/cpuinfo: instructions that multiply bf16 numbers, on x86 and on ARM.
BF16_FLAGS = ("amx_bf16", "avx512_bf16", "bf16")
CPUINFO = Path("/proc/cpuinfo")
CGROUP_MEMORY = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def cpu_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bf16_flags() -> list[str]:
    """The processor's flags for bf16 arithmetic, best first; empty when it has none or does not tell."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    flags = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [flag for flag in BF16_FLAGS if flag in flags]


def memory() -> int | None:
    """Bytes of memory that this process may use: the machine's, or a container's limit; None when unknown."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    limits = [int(text) for path in CGROUP_MEMORY if (text := _read(path)).isdigit()]
    return min([total, *limits])


def peak_memory() -> int | None:
    """Bytes of memory that this process has held at most so far; None when unknown."""
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_disk(folder: Path) -> int:
    """Free bytes on the disk that holds `folder`, which must exist."""
    return shutil.disk_usage(folder).free


def gpus() -> list[str]:
    """One line for each NVIDIA GPU, its name and memory; empty when there is none or its driver does not answer."""
    if not (command := shutil.which("nvidia-smi")):
        return []
    query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
