"""Writing a .safetensors file, reading its header, rewriting its metadata."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(_head(header) + tensors)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def encode(tensors: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a file of float32 tensors; the same bytes for the same tensors and metadata."""
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    at = 0
    bodies = []
    for name, tensor in sorted(tensors.items()):
        bodies.append(np.ascontiguousarray(tensor, "<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(bodies[-1])]}
        at += len(bodies[-1])
    return _head(header) + b"".join(bodies)


def _head(header: Mapping[str, object]) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # keeps the tensors 8-byte aligned
    return struct.pack("<Q", len(text)) + text
