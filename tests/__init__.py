"""The test suite."""

import sys

# An optional part of jsonschema that takes a second to import; see `evidence.build.execute`.
sys.modules["rfc3987_syntax"] = None
