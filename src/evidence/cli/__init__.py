"""The command line: a module for each group of commands, with a function for each command."""

from evidence.cli import imports, pooling, release, reports, tables
from evidence.cli.app import evidence, main

__all__ = ["evidence", "imports", "main", "pooling", "release", "reports", "tables"]
