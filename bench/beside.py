"""Let the environment that runs this see the packages of another one too: ``python bench/beside.py .venv``."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

(other,) = Path(sys.argv[1]).resolve().glob("lib/python*/site-packages")
Path(sysconfig.get_path("purelib"), "beside.pth").write_text(f"import site; site.addsitedir({str(other)!r})\n")
