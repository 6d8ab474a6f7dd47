"""The command line starts without the heavy libraries: they are imported where they are used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "monai", "matplotlib", "scipy.stats", "SimpleITK")


def test_importing_the_command_line_leaves_heavy_libraries_out() -> None:
    program = "import sys, rtseg.cli; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.splitlines()

    assert "rtseg.cli" in loaded
    assert [name for name in HEAVY if name in loaded] == [], "`python -X importtime -c 'import rtseg.cli'` tells who imports it"
