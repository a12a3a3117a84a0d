"""Ogg pages and Vorbis headers, made by hand: what no encoder writes."""

from __future__ import annotations

import struct
import zlib


class Bits:
    """Least significant bit first, as Vorbis wants them."""

    def __init__(self) -> None:
        self.value = self.n = 0

    def put(self, *fields: tuple[int, int]) -> None:
        """Pairs of value and width."""
        for value, width in fields:
            self.value |= (value & ((1 << width) - 1)) << self.n
            self.n += width

    def bytes(self) -> bytes:
        return self.value.to_bytes((self.n + 7) // 8, "little")


REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def crc(data: bytes) -> int:
    """Ogg's is that of zlib with the bits of each byte, and of the result, the other way round, and no inversions."""
    value = zlib.crc32(data.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def raw_page(lengths: bytes, body: bytes, number: int, flags: int = 0, granule: int = 0, serial: int = 1) -> bytes:
    """A page by its table of segments. flags: 1 continued, 2 first, 4 last."""
    whole = bytearray(b"OggS\0" + bytes([flags]) + struct.pack("<qIII", granule, serial, number, 0) + bytes([len(lengths)]) + lengths + body)
    whole[22:26] = struct.pack("<I", crc(bytes(whole)))
    return bytes(whole)


def pages(packets: list[bytes], number: int, serial: int = 1) -> list[bytes]:
    """Packets of any length over as many pages as they take."""
    lengths = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    body, at, flags, out = b"".join(packets), 0, 0, []
    for i in range(0, len(lengths), 255):
        part = lengths[i:i + 255]
        out.append(raw_page(part, body[at:at + sum(part)], number + len(out), flags, 0, serial))
        at, flags = at + sum(part), int(part[-1] == 255)
    return out


def page(packets: list[bytes], number: int, flags: int = 0, granule: int = 0, serial: int = 1, unfinished: bool = False) -> bytes:
    """flags: 1 continued, 2 first, 4 last. Unfinished: the last packet, a multiple of 255 bytes, goes on in the next page."""
    lengths = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    lengths = lengths[:-1] if unfinished else lengths
    return raw_page(lengths, b"".join(packets), number, flags, granule, serial)


def vorbis_setup(n_books: int, log_entries: int) -> bytes:
    """The least that libvorbis takes, with codebooks of 2^log_entries entries in some 12 bytes each."""
    bits, entries = Bits(), 1 << log_entries
    bits.put((n_books - 1, 8))
    for _ in range(n_books):
        bits.put((0x564342, 24), (1, 16), (entries, 24), (1, 1), (log_entries - 1, 5), (entries, entries.bit_length()), (0, 4))
    bits.put((0, 6), (0, 16))  # one time
    bits.put((0, 6), (1, 16), (0, 5), (0, 2), (4, 4))  # one floor
    bits.put((0, 6), (0, 16), (0, 24), (0, 24), (0, 24), (0, 6), (0, 8), (0, 3), (0, 1))  # one residue
    bits.put((0, 6), (0, 16), (0, 1), (0, 1), (0, 2), (0, 8), (0, 8), (0, 8))  # one mapping
    bits.put((0, 6), (0, 1), (0, 16), (0, 16), (0, 8), (1, 1))  # one mode
    return b"\x05vorbis" + bits.bytes()


IDENTIFICATION = b"\x01vorbis" + struct.pack("<IBIiii", 0, 1, 16000, 0, 64000, 0) + b"\xb8\x01"
COMMENT = b"\x03vorbis" + struct.pack("<I", 1) + b"x" + struct.pack("<I", 0) + b"\x01"


def vorbis_file(setup: bytes) -> bytes:
    return page([IDENTIFICATION], 0, 2) + page([COMMENT, setup], 1) + page([b"\0\0\0\0"] * 20, 2, 4, 32000)
