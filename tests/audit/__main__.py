"""Tries Kalla from outside, as an auditor does: `python tests/audit`, with KALLA_TEST_BINARY and KALLA_TEST_POSTGRES set.

Each part has a directory and servers of its own, and asks what the product promises in SECURITY.md. All traffic stays on this machine.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import doors
import fences
import kills
import memory
import planted
import slow

PARTS = {"doors": doors.run, "fences": fences.run, "secrets": planted.run, "slow clients": slow.run, "kills": kills.run, "memory": memory.run}
SHOWN = 5


class Check:
    """Says of each promise whether it holds."""

    def __init__(self):
        self.passed, self.broken = 0, []

    def __call__(self, what, holds, seen=None):
        self.all(what, [(holds, str(seen)[:2000])])

    def all(self, what, tried):
        broken = [seen for holds, seen in tried if not holds]
        print(f"  {'✗' if broken else '✓'} {what}" + (f" ({len(tried)} tries)" if len(tried) > 1 else ""), flush=True)
        for seen in broken[:SHOWN]:
            print(f"      {seen}")
        if len(broken) > SHOWN:
            print(f"      and {len(broken) - SHOWN} more")
        if broken:
            self.broken.append(what)
        else:
            self.passed += 1

    def left_out(self, what):
        print(f"  - left out: {what}")


def main():
    check = Check()
    wanted = sys.argv[1:] or list(PARTS)
    for name in wanted:
        began = time.monotonic()
        print(f"{name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="kalla-audit-") as place:
            PARTS[name](Path(os.path.realpath(place)), check)
        print(f"    {time.monotonic() - began:.0f} s")
    print(f"{check.passed} passed, {len(check.broken)} failed")
    for what in check.broken:
        print(f"  ✗ {what}")
    return 1 if check.broken else 0


if __name__ == "__main__":
    sys.exit(main())
