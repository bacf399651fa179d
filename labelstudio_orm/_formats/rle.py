"""Run-length encodings of masks: the one that Label Studio stores, and those of COCO.

Label Studio's is a stream of bits: 32 for the number of values, 5 for the size of a value, four
times 4 for the sizes of lengths, less one each. Then come blocks: a bit, whether one value is
repeated, 2 bits for the size of the length, the length less one, and one value, or as many values.
The values are those of an image of four channels, of which the last one is the mask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

CHANNELS: Final = 4
_SIZES: Final = (3, 4, 8, 16)
_RUN: Final = re.compile(rb"(.)\1*", re.DOTALL)
_PAINTED: Final = re.compile(rb"\x00+|[^\x00]+")
_MOST: Final = 1 << 28
"""The most values of a mask: more than 8,000 times 8,000 pixels."""


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def read(self, size: int) -> int:
        """Return the next bits as a number. Raises ValueError beyond the end."""
        first, last = self._at // 8, (self._at + size + 7) // 8
        if last > len(self._content):
            raise ValueError("the mask ends early")
        self._at += size
        number = int.from_bytes(self._content[first:last], "big")
        return number >> (last * 8 - self._at) & ((1 << size) - 1)


def decode(rle: Sequence[int]) -> bytes:
    """Return the values that an encoding of Label Studio holds, a byte each.

    Raises ValueError for anything else.
    """
    try:
        bits = _Bits(bytes(rle))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the mask is not a list of bytes: {error}") from None
    number, word = bits.read(32), bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    if number > _MOST or word > 8:
        raise ValueError(f"the mask has {number:,} values of {word} bits, which is too much")
    out = bytearray()
    while len(out) < number:
        repeats = bits.read(1)
        length = bits.read(sizes[bits.read(2)]) + 1
        if repeats:
            out += bytes([bits.read(word)]) * length
        elif word == 8:
            out += bits.read(8 * length).to_bytes(length, "big")
        else:
            out += bytes(bits.read(word) for _ in range(length))
    return bytes(out[:number])


def mask_of(rle: Sequence[int], width: int, height: int) -> bytes:
    """Return a mask, row by row, a byte for each pixel: its opacity, 0 where nothing is painted.

    Raises ValueError for a mask of another size.
    """
    values = decode(rle)
    if len(values) != width * height * CHANNELS:
        raise ValueError(f"the mask has {len(values):,} values, which is not {width} x {height}")
    return values[CHANNELS - 1 :: CHANNELS]


def encode(mask: bytes) -> list[int]:
    r"""Return the encoding of a mask as Label Studio stores it; each channel is the mask.

    >>> mask_of(encode(bytes([0, 255, 255, 0])), 2, 2)
    b'\x00\xff\xff\x00'
    """
    head = [f"{len(mask) * CHANNELS:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    text = "".join([*head, *_blocks(mask)])
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _blocks(mask: bytes) -> Iterator[str]:
    for run in _RUN.finditer(mask):
        value, left = run[0][0], len(run[0]) * CHANNELS
        while left:
            length = min(left, 1 << 16)
            place = next(n for n, size in enumerate(_SIZES) if length <= 1 << size)
            yield f"1{place:02b}{length - 1:0{_SIZES[place]}b}{value:08b}"
            left -= length


# -- COCO -----------------------------------------------------------------------------------------


def counts_of(mask: bytes, width: int, height: int) -> list[int]:
    """Return the runs of a mask column by column, beginning with what is not painted.

    >>> counts_of(bytes([0, 1, 0, 1]), 2, 2)
    [2, 2]
    """
    columns = b"".join(mask[x::width] for x in range(width))
    counts = [len(run[0]) for run in _PAINTED.finditer(columns)]
    return [0, *counts] if columns[:1] != b"\0" else counts


def mask_from(counts: Sequence[int], width: int, height: int) -> bytes:
    """Return the mask of such runs, row by row: 255 where it is painted."""
    if width * height > _MOST // CHANNELS:
        raise ValueError(f"a mask of {width} x {height} pixels is too large")
    if sum(counts) != width * height or any(count < 0 for count in counts):
        raise ValueError(f"the runs are of {sum(counts):,} pixels, not of {width} x {height}")
    columns = b"".join(
        (b"\xff" if number % 2 else b"\0") * count for number, count in enumerate(counts)
    )
    return b"".join(columns[y::height] for y in range(height))


def counts_in(text: str) -> list[int]:
    """Return the runs in a text as pycocotools writes it, five bits a character.

    >>> counts_in("025")
    [0, 2, 5]
    """
    counts: list[int] = []
    number = shift = 0
    for character in text.encode("ascii"):
        bits = character - 48
        number |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                number -= 1 << shift
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number = shift = 0
    return counts


def extent(mask: bytes, width: int) -> tuple[int, int, int, int]:
    """Return the box around what is painted, as x, y, width and height; zeros for nothing."""
    rows = (mask[start : start + width] for start in range(0, len(mask), width))
    painted = {number: row for number, row in enumerate(rows) if row.strip(b"\0")}
    if not painted:
        return 0, 0, 0, 0
    left = min(width - len(row.lstrip(b"\0")) for row in painted.values())
    right = max(len(row.rstrip(b"\0")) for row in painted.values())
    return left, min(painted), right - left, max(painted) - min(painted) + 1
