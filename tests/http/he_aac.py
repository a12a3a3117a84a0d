"""HE-AAC (v1) out of plain AAC, as Debian has no encoder of it: each frame gets the data of spectral band
replication (ISO/IEC 14496-3, 4.4.2.8) for an upper half of the band that is all but silent."""

from __future__ import annotations

MONO, RATE_24K, RATE_48K, LC, SBR = 1, 6, 3, 2, 5  # as AAC numbers them
N_BANDS = 8  # of an envelope in coarse bands: what the header below comes to at 48 kHz
SAYS_LC = b"\x05\x80\x80\x80\x02"  # the head of what an MP4 says of its decoder: two bytes follow


def bits(*fields: tuple[int, int]) -> str:
    """Pairs of value and width."""
    return "".join(f"{value:0{width}b}" for value, width in fields)


def packed(text: str) -> bytes:
    """With zeros up to a whole byte."""
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def sbr() -> str:
    """The fill element: a header, and one envelope with the lowest energy in each band."""
    header = bits((0, 1), (5, 4), (9, 4), (0, 3), (0, 2), (1, 1), (0, 1), (2, 2), (1, 1), (0, 2))  # one band of noise
    grid = bits((0, 2), (0, 2), (0, 1))  # one envelope for the frame, in coarse bands
    envelope = bits((0, 7)) + "00" * (N_BANDS - 1)  # each as the one below
    data = bits((0, 1)) + grid + bits((0, 1), (0, 1), (0, 2)) + envelope + bits((15, 5), (0, 1), (0, 1))
    payload = bits((13, 4), (1, 1)) + header + data
    n = -(-len(payload) // 8)
    count = bits((n, 4)) if n < 15 else bits((15, 4), (n - 14, 8))
    return bits((6, 3)) + count + payload.ljust(8 * n, "0")


def with_sbr(adts: bytes) -> bytes:
    """ADTS of AAC-LC, mono, 24 kHz -> ADTS of HE-AAC, 48 kHz. The last bit that is set ends a frame's last element."""
    out, at = b"", 0
    while at < len(adts):
        n = (adts[at + 3] & 3) << 11 | adts[at + 4] << 3 | adts[at + 5] >> 5
        block = "".join(f"{byte:08b}" for byte in adts[at + 7 : at + n]).rstrip("0")
        body = packed(block[:-3] + sbr() + "111")
        n_new = 7 + len(body)
        head = bytearray(adts[at : at + 7])
        head[3:6] = bytes([head[3] & 0xFC | n_new >> 11, n_new >> 3 & 0xFF, (n_new & 7) << 5 | head[5] & 0x1F])
        out, at = out + head + body, at + n
    return out


def saying_so(mp4: bytes) -> bytes:
    """An MP4 that says from the start that its AAC, so far said to be LC, is HE-AAC. Its header is behind the samples."""
    config = packed(bits((SBR, 5), (RATE_24K, 4), (MONO, 4), (RATE_48K, 4), (LC, 5), (0, 3)))
    out, at = bytearray(mp4), mp4.index(SAYS_LC)
    n_more = len(config) - 2
    out[at + len(SAYS_LC) : at + len(SAYS_LC) + 2] = config
    for tag in (b"\x05", b"\x04", b"\x03"):  # descriptors, one in the other
        out[mp4.rindex(tag + b"\x80\x80\x80", 0, at + 4) + 4] += n_more
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a", b"esds"):
        place = mp4.rindex(name, 0, at) - 4
        out[place : place + 4] = (int.from_bytes(mp4[place : place + 4], "big") + n_more).to_bytes(4, "big")
    return bytes(out)
