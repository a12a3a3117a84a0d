"""Reading and rewriting the metadata of a .safetensors file; the tensors stay as they are."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

LARGEST_HEADER_BYTES = 100_000_000


def read(path: Path) -> tuple[dict[str, object], bytes]:
    """The JSON header, and the tensors' bytes behind it."""
    data = path.read_bytes()
    if len(data) < 8:
        raise ValueError(f"{path}: too short for a safetensors file")
    (length,) = struct.unpack_from("<Q", data)
    if length > min(len(data) - 8, LARGEST_HEADER_BYTES):
        raise ValueError(f"{path}: the header claims {length} bytes, beyond the file")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def update_metadata(path: Path, changes: dict[str, str]) -> None:
    """Sets keys of `__metadata__`, in one atomic step."""
    header, tensors = read(path)
    metadata = dict(header.get("__metadata__", {}))  # type: ignore[call-overload]
    header["__metadata__"] = {**metadata, **changes}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # keeps the tensors 8-byte aligned
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + tensors)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
