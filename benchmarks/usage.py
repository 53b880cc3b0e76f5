"""Run a command, wait for every process that it leaves behind, and print what all of them used.

    python benchmarks/usage.py COMMAND ARGUMENT ...

Prints the exit code, CPU seconds and the peak memory of the largest process in MiB, as JSON. A small
program of its own, because Linux counts the memory of whoever starts a process as the process's.
Linux only.
"""

import ctypes
import json
import os
import sys

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Print the usage of the command in the arguments."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    command = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silence)
    seconds = peak = 0.0
    codes = {}
    while True:
        try:
            pid, status, used = os.wait3(0)
        except ChildProcessError:
            break
        codes[pid] = os.waitstatus_to_exitcode(status)
        seconds += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss / 1024)
    print(json.dumps([codes[command], seconds, peak]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
