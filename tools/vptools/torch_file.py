"""Reads the tensors of a PyTorch checkpoint without PyTorch, and without running what it says.

A checkpoint is a zip: a pickle (`data.pkl`) that describes tensors, and their numbers in `data/KEY`.
A pickle is a program. This reader lets it use only the opcodes that torch.save writes and only the
few names that make tensors; an object of any other class becomes an inert `Foreign`. Every tensor
must lie within its storage, and every size is checked before memory is taken.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from vptools.foreign import Foreign

LARGEST_PICKLE_BYTES = 16 << 20
LARGEST_MEMO = 1 << 20  # the unpickler takes memory for every index up to the largest
MOST_DIMENSIONS = 8
MOST_REUSE = 4  # tied weights are stored once and loaded twice

# torch's name of a storage -> how numpy reads it. BFloat16 is the upper half of a float32.
_STORAGES = {"Float": "<f4", "Double": "<f8", "Half": "<f2", "BFloat16": "<u2", "Long": "<i8", "Int": "<i4",
             "Short": "<i2", "Char": "i1", "Byte": "u1", "Bool": "?"}
# What torch.save writes (pickle protocol 2). None of them grows a number, a string or a tuple from
# little into much.
_OPCODES = frozenset(
    "PROTO STOP MARK EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 SETITEM SETITEMS APPEND "
    "APPENDS BINUNICODE BININT BININT1 BININT2 LONG1 BINFLOAT NONE NEWTRUE NEWFALSE BINPUT LONG_BINPUT "
    "BINGET LONG_BINGET GLOBAL REDUCE NEWOBJ BUILD BINPERSID".split())


class TorchFileError(Exception):
    """Why a checkpoint is refused, in a sentence."""


class _Dict(dict[Any, Any]):
    """An OrderedDict of the checkpoint; torch sets attributes on it, which are dropped."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Ours:
    """What the pickle may hold but not alter."""

    def __setstate__(self, state: Any) -> None:
        raise TorchFileError("the pickle alters what makes its tensors")


@dataclass(frozen=True)
class _Storage(_Ours):
    """The numbers behind one or more tensors."""

    numbers: NDArray[Any]  # [n]
    kind: str


@dataclass(frozen=True)
class _Call(_Ours):
    """A function that the pickle may call."""

    function: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)


def read(data: bytes, origin: str) -> Any:
    """What torch.save was given, tensors as float32 or integer arrays. Raises TorchFileError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Archive(archive, origin).load()
    except zipfile.BadZipFile as error:
        raise TorchFileError(f"{origin}: not a PyTorch checkpoint of 1.6 or later (no zip file)") from error


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, origin: str) -> None:
        self.archive, self.origin = archive, origin
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise TorchFileError(f"{origin}: not a PyTorch checkpoint (no data.pkl)")
        self.folder = pickles[0].removesuffix("data.pkl")
        if self.folder + "constants.pkl" in archive.namelist():
            raise TorchFileError(f"{origin}: a TorchScript program, not a checkpoint; nothing was run")
        if self.folder + "byteorder" in archive.namelist() and self.member("byteorder", 16) != b"little":
            raise TorchFileError(f"{origin}: written on a big-endian machine")
        self.storages: dict[str, _Storage] = {}
        self.left = MOST_REUSE * sum(info.file_size for info in archive.infolist())  # bytes of tensors

    def member(self, name: str, largest_bytes: int) -> bytes:
        info = self.archive.getinfo(self.folder + name)
        if info.compress_type != zipfile.ZIP_STORED:  # torch.save never compresses; a bomb does
            raise TorchFileError(f"{self.origin}: {name} is compressed, which torch.save never does")
        if info.file_size > largest_bytes:
            raise TorchFileError(f"{self.origin}: {name} has {info.file_size} bytes, not {largest_bytes} or fewer")
        return self.archive.read(info)

    def load(self) -> Any:
        program = self.member("data.pkl", LARGEST_PICKLE_BYTES)
        try:
            _check_opcodes(program)
            return _Unpickler(io.BytesIO(program), self).load()
        except TorchFileError as error:
            raise TorchFileError(f"{self.origin}: {error}") from error
        except Exception as error:  # a damaged pickle raises many kinds
            raise TorchFileError(f"{self.origin}: a damaged pickle ({type(error).__name__}: {error})") from error

    def storage(self, kind: str, key: str, n: int) -> _Storage:
        """Reads a storage once; n numbers were promised."""
        if key not in self.storages:
            dtype = np.dtype(_STORAGES[kind])
            numbers = np.frombuffer(self.member(f"data/{key}", n * dtype.itemsize), dtype)
            if len(numbers) != n:
                raise TorchFileError(f"storage {key} has {len(numbers)} numbers, not {n}")
            self.storages[key] = _Storage(numbers, kind)
        found = self.storages[key]
        if found.kind != kind or len(found.numbers) != n:
            raise TorchFileError(f"storage {key} is named with two types or sizes")
        return found

    def tensor(self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...],
               *_: Any) -> NDArray[Any]:
        """The copy of a view into a storage, counted in numbers. Neither a view that repeats numbers
        nor many views of one storage may claim much more memory than the file has bytes."""
        if not isinstance(storage, _Storage) or len(size) != len(stride) or len(size) > MOST_DIMENSIONS:
            raise TorchFileError("a tensor that is none")
        if offset < 0 or min((*size, *stride), default=0) < 0:
            raise TorchFileError("a tensor with a negative size, stride or offset")
        n, n_stored = math.prod(size), len(storage.numbers)
        end = offset + sum((extent - 1) * step for extent, step in zip(size, stride)) + 1 if n else offset
        if n > n_stored or end > n_stored:
            raise TorchFileError(f"a tensor {list(size)} reaches beyond its storage of {n_stored}")
        self.left -= n * storage.numbers.itemsize
        if self.left < 0:
            raise TorchFileError(f"the tensors are more than {MOST_REUSE} times the file")
        numbers = storage.numbers[offset:]
        found = np.lib.stride_tricks.as_strided(numbers, size, [step * numbers.itemsize for step in stride]).copy()
        if storage.kind == "BFloat16":
            return (found.astype(np.uint32) << 16).view(np.float32)
        return found.astype(np.float32) if found.dtype.kind == "f" else found


def _check_opcodes(program: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(program):
        if opcode.name not in _OPCODES:
            raise TorchFileError(f"the pickle uses {opcode.name}, which torch.save does not write")
        if opcode.name == "LONG_BINPUT" and argument > LARGEST_MEMO:
            raise TorchFileError(f"the pickle remembers an object number {argument}")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, archive: _Archive) -> None:
        super().__init__(file)
        self.archive = archive

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Call(self.archive.tensor)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _Call(lambda tensor, *_: tensor)
        if module == "torch" and name.removesuffix("Storage") in _STORAGES:
            return name.removesuffix("Storage")
        return Foreign

    def persistent_load(self, pid: Any) -> _Storage:
        what, kind, key, _, n = pid
        if what != "storage" or kind not in _STORAGES or not isinstance(key, str) or not isinstance(n, int):
            raise TorchFileError("a storage of an unknown kind")
        return self.archive.storage(kind, key, n)
