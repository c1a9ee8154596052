"""The daily risk report of a demo book: wall seconds from command to page, and the page's size.

Targets: 10 s, 4.5 MB. Needs the demo books (``make demo``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROUNDS = 3
SECONDS, MEGABYTES = 10.0, 4.5
COMMAND = [sys.executable, "-m", "sigmalib.cli", "report", "run", "daily_risk", "--book", "long_short", "--json"]


def main() -> int:
    """Run the report a few times, print the median and the size, and return 1 when a target is missed."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        done = subprocess.run(COMMAND, check=True, capture_output=True, text=True)
        taken.append(time.perf_counter() - begun)
    size = Path(json.loads(done.stdout)["html"]).stat().st_size / 1e6
    print(f"daily risk report      {median(taken):8.2f} s   target {SECONDS:.0f}")
    print(f"its page               {size:8.2f} MB  target {MEGABYTES}")
    return int(median(taken) > SECONDS or size > MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
