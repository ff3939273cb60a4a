"""`ecdbench --help`: CPU seconds and memory."""

from __future__ import annotations

import resource
import subprocess
import sys

HEAVY = ["torch", "datasets", "pandas", "sklearn"]
CODE = f"""
import resource, sys
from pathlib import Path
sys.argv = ["ecdbench", "--help"]
from ecdbench.cli.app import main
try:
    main()
except SystemExit:
    pass
# VmHWM is this program's own peak; ru_maxrss would include the process that started it.
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print([m for m in {HEAVY} if m in sys.modules], int(peak) / 1024, file=sys.stderr)
"""


def main() -> None:
    """Print the best and the median of nine."""
    seconds, said = [], ""
    for _ in range(9):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stderr
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    loaded, peak = said.rsplit(" ", 1)
    print(f"ecdbench --help: best {min(seconds):.2f}, median {sorted(seconds)[4]:.2f} CPU s (at most 0.3)")
    print(f"peak memory {float(peak):.0f} MB (at most 45); of {', '.join(HEAVY)} imported: {loaded}")
