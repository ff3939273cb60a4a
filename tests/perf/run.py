"""Measurements, printed as ratios measured side by side in one run. Not part of the tests.

    python tests/perf/run.py [PART ...]    # one or more of PARTS, all by default

`cnn` and `frozen` need the sfe files and, for the Keras side, a Python that has it: KERAS_PYTHON=/path/to/python.
`density` and `build` need the raw folders of ecd-fcc. ECDBENCH_DATA says where both are.
"""

from __future__ import annotations

import importlib
import sys

PARTS = (
    "help",
    "density",
    "bootstrap",
    "cnn",
    "frozen",
    "memory",
    "build",
    "language",
    "board",
    "calibration",
    "kills",
)


def main() -> None:
    """Run the parts named on the command line, or all."""
    for part in sys.argv[1:] or PARTS:
        print(f"== {part}", flush=True)
        importlib.import_module(f"measure_{part}").main()


if __name__ == "__main__":
    main()
