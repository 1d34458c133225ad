"""The sections of an object file."""

import struct
from dataclasses import dataclass

_ALLOCATED, _CODE = 2, 4
_NO_BITS = 8
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")


@dataclass(frozen=True)
class Section:
    """A section: its name, its size in memory, whether it is loaded, whether it holds instructions, its bytes."""

    name: str
    size_bytes: int
    loaded: bool
    code: bool
    content: bytes = b""


def sections(content: bytes) -> tuple[Section, ...]:
    """Return all named sections of a 64-bit little-endian object."""
    header = _HEADER.unpack_from(content)
    offset, size, count, names_index = header[6], header[11], header[12], header[13]
    if not offset:
        return ()
    if not count:  # 65280 or more: the first section says how many
        count = _SECTION.unpack_from(content, offset)[5]
    raw = [_SECTION.unpack_from(content, offset + size * index) for index in range(count)]
    names = raw[names_index if names_index != 0xFFFF else raw[0][6]]
    text = content[names[4] : names[4] + names[5]]
    return tuple(
        Section(
            text[entry[0] : text.index(b"\0", entry[0])].decode(errors="replace"),
            entry[5],
            bool(entry[2] & _ALLOCATED),
            bool(entry[2] & _CODE),
            content[entry[4] : entry[4] + entry[5]] if entry[1] != _NO_BITS else b"",
        )
        for entry in raw
        if entry[0]
    )
