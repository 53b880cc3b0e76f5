"""The command `evidence`: where it begins, and where every error that a person can act on ends.

Exit codes: 0 done, 1 the data or a notebook is at fault or a figure is no longer current, 2 the
command was misused, 130 stopped, 141 whoever read the output went away.
"""

import os
import sys
from collections.abc import Sequence

from evidence.arguments import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see the module for the exit codes."""
    options = parser().parse_args(arguments)
    # Whoever only asked for help does not wait for what the commands need.
    from evidence.commands import COMMANDS
    from evidence.errors import DatasetError, EvidenceError, ParameterError

    try:
        code = COMMANDS[options.command](options)
        sys.stdout.flush()
        return code
    except DatasetError as error:
        print(error, file=sys.stderr)
        said = "1 problem" if error.count == 1 else f"{error.count:,} problems"
        print(f"{said} found, nothing written", file=sys.stderr)
        return 1
    except ParameterError as error:
        print(f"evidence: {error}", file=sys.stderr)
        return 2
    except EvidenceError as error:
        print(f"evidence: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Python would complain once more when it closes the output that nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"evidence: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nevidence: stopped; the previous reports are as they were", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
