"""Measurements, one after the other: ``python -m bench [main_job] [reading] ...``, without a name all of them.

What stands behind a name goes to it: ``python -m bench reading --slices 100``. Figures of a run are kept in
docs/performance.md.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPTS = (
    *("main_job", "reading", "resampling", "intensity", "filters"),
    *("masks", "formats", "meshes", "prompting", "registration", "metrics", "augmentation"),
    *("window", "runtimes", "network_job"),
)
options = sys.argv[2:] if len(sys.argv) > 2 and sys.argv[2].startswith("-") else []
for script in sys.argv[1 : -len(options) or None] or SCRIPTS:
    print(f"\n## {script}\n", flush=True)
    subprocess.run([sys.executable, "-m", f"bench.{script}", *options], check=True)
