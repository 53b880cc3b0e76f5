"""Messages in many parts over a stream of bytes, as both ends of a run exchange them.

Vocabulary
----------
A *frame* is one message: which channel it is for, then the parts of a Jupyter message as ipykernel
writes them. Each part stands behind its length; nothing is pickled.
"""

import struct
from collections.abc import Iterator, Sequence

_COUNT = struct.Struct("!I")
_LENGTH = struct.Struct("!Q")


def pack(parts: Sequence[bytes]) -> bytes:
    """The bytes of one frame."""
    parts = [bytes(part) for part in parts]
    lengths = [_LENGTH.pack(len(part)) for part in parts]
    return b"".join([_COUNT.pack(len(parts)), *lengths, *parts])


class Unpacker:
    """Frames out of bytes that arrive in pieces of any size."""

    def __init__(self):
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """The frames that are complete with this piece."""
        self._rest += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> list[bytes] | None:
        rest = self._rest
        if len(rest) < _COUNT.size:
            return None
        (count,) = _COUNT.unpack_from(rest)
        place = _COUNT.size + count * _LENGTH.size
        if len(rest) < place:
            return None
        lengths = [
            _LENGTH.unpack_from(rest, _COUNT.size + at * _LENGTH.size)[0] for at in range(count)
        ]
        if len(rest) < place + sum(lengths):
            return None
        parts = []
        for length in lengths:
            parts.append(bytes(rest[place : place + length]))
            place += length
        del rest[:place]
        return parts
