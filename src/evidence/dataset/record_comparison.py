"""Why the record of a report no longer holds: which rows, sources and files have changed."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache

from evidence.dataset import schema
from evidence.dataset.access_log import digests, evaluate, row_digests
from evidence.dataset.dataset import Dataset, source_digests
from evidence.errors import EvidenceError
from evidence.files import path_digest, recorded_path


@lru_cache(maxsize=2)
def line_digests(dataset: Dataset) -> dict[str, str]:
    """Return the digest of each row by its address, and of each source by `references.bib:KEY`.

    Remarks do not count. A table with very many rows has one digest, by its file.
    """
    lines: dict[str, str] = {}
    for table in schema.TABLES:
        rows = digests(dataset.frame(table).drop(columns=table.with_role("remark")))
        lines |= {address or table.file: content for address, content in rows.items()}
    return lines | source_digests(*dataset.bibliography.values())


class RecordComparison:
    """Compares the records of reports with a dataset as it is now; computes each selection once."""

    def __init__(self, dataset: Dataset):
        self._dataset = dataset
        self._selections: dict[str, dict[str, str]] = {}

    def changes(self, record: Mapping, lines: Mapping[str, str]) -> list[str]:
        """Return why a record of an `AccessLog` no longer holds, each reason once.

        `lines` are the `line_digests` of the tables for which it held; empty if not known.
        """
        return list(dict.fromkeys(self._changes(record, lines)))

    def _changes(self, record: Mapping, lines: Mapping[str, str]) -> Iterator[str]:
        now = line_digests(self._dataset)
        changed_lines = {
            address: "changed" if address in lines and address in now else
            "is new" if address in now else "is gone"
            for address in {**lines, **now} if lines and lines.get(address) != now.get(address)
        }  # fmt: skip
        differing, unexplained = self._changed_rows(record["rows"]), []
        for entry in record["selections"]:
            try:
                addresses = self._changed_rows_of(entry)
            except EvidenceError as error:
                yield str(error)
                continue
            if addresses:
                differing |= addresses
                if not addresses & changed_lines.keys():
                    unexplained.append(entry)
        named = [address for address in changed_lines if address in differing or unexplained]
        yield from (f"{address} {changed_lines[address]}" for address in named)
        if not named:
            yield from (f"{address} changed" for address in sorted(differing - {""}))
            if "" in differing:
                yield from (f"the result of {_call(entry)} changed" for entry in unexplained)
        for name, content in record["files"].items():
            if path_digest(recorded_path(name, self._dataset.project)) != content:
                yield f"{name} changed"

    def _changed_rows(self, rows: Mapping[str, str]) -> set[str]:
        present = line_digests(self._dataset)
        if large := [address for address in rows if schema.table_file(address) in present]:
            present = dict(present)
            for frame in self._dataset.rows_by_file(large).values():
                present |= row_digests(frame)
        return {address for address, content in rows.items() if present.get(address, "") != content}

    def _changed_rows_of(self, entry: Mapping) -> set[str]:
        """Find the addresses at which a selection differs; "" if it is no frame or reordered."""
        key = json.dumps([entry["name"], entry["arguments"]])
        if key not in self._selections:
            self._selections[key] = evaluate(self._dataset, entry["name"], entry["arguments"])
        was, now = entry["digests"], self._selections[key]
        addresses = {address for address in {**was, **now} if was.get(address) != now.get(address)}
        return addresses or ({""} if list(was) != list(now) else set())


def _call(entry: Mapping) -> str:
    positional, options = entry["arguments"]
    arguments = [*map(str, positional), *(f"{name}={value}" for name, value in options.items())]
    return f"{entry['name'].rpartition(':')[2]}({', '.join(arguments)})"
