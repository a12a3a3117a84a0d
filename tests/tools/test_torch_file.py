"""tools/vptools/torch_file.py: tensors come out right, and a hostile pickle gets nothing done."""

from __future__ import annotations

import io
import os
import pickle
import resource
import struct
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from vptools import torch_file  # noqa: E402
from vptools.foreign import Foreign  # noqa: E402
from vptools.torch_file import TorchFileError  # noqa: E402

NUMBERS = np.arange(12, dtype="<f4")


def glob(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(kind: str = "Float", key: str = "0", n: int = 12) -> bytes:
    return b"(" + text("storage") + glob("torch", kind + "Storage") + text(key) + text("cpu") + number(n) + b"tQ"


def tensor(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, of: bytes = storage()) -> bytes:
    return (glob("torch._utils", "_rebuild_tensor_v2") + b"(" + of + number(offset) + numbers(size)
            + numbers(stride) + b"\x89" + glob("collections", "OrderedDict") + b")RtR")


def archive(program: bytes, numbers: bytes = NUMBERS.tobytes(), compress: int = zipfile.ZIP_STORED,
            **others: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compress) as out:
        out.writestr("net/data.pkl", b"\x80\x02" + program + b".")
        out.writestr("net/data/0", numbers)
        for name, content in others.items():
            out.writestr(f"net/{name}", content)
    return file.getvalue()


def read(program: bytes, **others: Any) -> Any:
    return torch_file.read(archive(program, **others), "net.pt")


def test_views_of_a_storage() -> None:
    assert np.array_equal(read(tensor((3, 4), (4, 1))), NUMBERS.reshape(3, 4))
    assert np.array_equal(read(tensor((4, 3), (1, 4))), NUMBERS.reshape(3, 4).T)
    assert np.array_equal(read(tensor((2, 2), (4, 1), offset=5)), [[5, 6], [9, 10]])
    assert read(tensor((), (), offset=11)) == 11
    assert read(tensor((0, 4), (4, 1))).shape == (0, 4)
    assert read(tensor((3, 4), (4, 1)), byteorder=b"little").dtype == np.float32


@pytest.mark.parametrize(("kind", "stored", "expected"), [
    ("Half", np.array([1.5, -2.0], "<f2"), np.array([1.5, -2.0], np.float32)),
    ("Double", np.array([1.5, -2.0], "<f8"), np.array([1.5, -2.0], np.float32)),
    ("BFloat16", np.array([0x3FC0, 0xC000], "<u2"), np.array([1.5, -2.0], np.float32)),
    ("Long", np.array([7, -7], "<i8"), np.array([7, -7], np.int64)),
    ("Bool", np.array([True, False]), np.array([True, False])),
])
def test_types(kind: str, stored: np.ndarray, expected: np.ndarray) -> None:
    found = read(tensor((2,), (1,), of=storage(kind, n=2)), numbers=stored.tobytes())
    assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_a_state_dict_with_strangers() -> None:
    """As Lightning writes: other people's classes beside the state dict, attributes on the dict."""
    state = (glob("collections", "OrderedDict") + b")R(" + text("w") + tensor((12,), (1,)) + b"u"
             + b"}" + text("keys") + b"K\x01s" + b"b")
    stranger = glob("pyannote.audio.core.task", "Specifications") + b")\x81}" + text("duration") + b"K\x0asb"
    found = read(b"}(" + text("state_dict") + state + text("specifications") + stranger + b"u")
    assert list(found["state_dict"].keys()) == ["w"]
    assert isinstance(found["specifications"], Foreign)


def touch(path: Path) -> bytes:
    return b"(" + text(f"touch {path}") + b"t"


HOSTILE_CALLS = [("os", "system"), ("posix", "system"), ("subprocess", "getoutput"), ("builtins", "eval"),
                 ("builtins", "exec"), ("builtins", "getattr"), ("torch.storage", "_load_from_bytes"),
                 ("torch.hub", "load"), ("collections", "Counter"), ("numpy", "load")]


@pytest.mark.parametrize(("module", "name"), HOSTILE_CALLS)
def test_no_call_of_the_files_choosing(tmp_path: Path, module: str, name: str) -> None:
    mark = tmp_path / "mark"
    for call in (touch(mark), b"(" + text(f"__import__('os').system('touch {mark}')") + b"t"):
        found = read(glob(module, name) + call + b"R")
        assert isinstance(found, Foreign)
    assert not mark.exists()


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_a_plain_pickle_of_a_call(tmp_path: Path, protocol: int) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'mark'}",)

    program = pickle.dumps(Call(), protocol)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("net/data.pkl", program)
    try:
        assert isinstance(torch_file.read(file.getvalue(), "net.pt"), Foreign)
    except TorchFileError as error:
        assert "torch.save does not write" in str(error)
    assert not (tmp_path / "mark").exists()


REBUILD = glob("torch._utils", "_rebuild_tensor_v2")
REFUSED = {
    "beyond the storage": (tensor((13,), (1,)), "reaches beyond"),
    "beyond by its stride": (tensor((2,), (12,)), "reaches beyond"),
    "beyond by its offset": (tensor((12,), (1,), offset=1), "reaches beyond"),
    "a number repeated to a terabyte": (tensor((1 << 30, 1 << 10), (0, 0)), "reaches beyond"),
    "a negative stride": (tensor((2,), (-1,), offset=4), "negative"),
    "a negative offset": (tensor((2,), (1,), offset=-1), "negative"),
    "sizes that overflow": (tensor((1 << 62, 1 << 62), (1, 1)), "reaches beyond"),
    "more sizes than strides": (tensor((2, 2), (1,)), "a tensor that is none"),
    "a storage that is none": (tensor((2,), (1,), of=text("0")), "a tensor that is none"),
    "a storage of another size": (tensor((2,), (1,), of=storage(n=11)), "bytes, not 44 or fewer"),
    "a storage that is smaller": (tensor((2,), (1,), of=storage(n=13)), "has 12 numbers, not 13"),
    "a storage of negative size": (tensor((2,), (1,), of=storage(n=-1)), "bytes, not -4 or fewer"),
    "a storage outside": (tensor((2,), (1,), of=storage(key="../../0")), "no item named"),
    "an unknown storage": (tensor((2,), (1,), of=storage("Quint8")), "a storage of an unknown kind"),
    "two types of one storage": (b"(" + tensor((1,), (1,)) + tensor((1,), (1,), of=storage("Int")) + b"t", "two types"),
    "the rebuilder altered": (REBUILD + b"}" + text("function") + text("x") + b"sb", "alters what makes"),
    "a storage altered": (storage() + b"}" + text("numbers") + b"Ns" + b"b", "alters what makes"),
    "a tensor altered": (tensor((2,), (1,)) + b"(K\x01N\x89t" + b"b", "damaged"),
    "a place for a billion objects": (b"Nr" + struct.pack("<I", 1 << 30), "remembers an object number"),
    "a string without end": (b"X" + struct.pack("<I", 1 << 31) + b"a", "damaged"),
    "an opcode of no checkpoint": (b"\x8e" + struct.pack("<Q", 1 << 40), "damaged"),
    "a counted string": (b"\x8d" + struct.pack("<Q", 1) + b"a", "BINUNICODE8, which torch.save does not write"),
    "an extension": (b"\x82\x01", "EXT1, which torch.save does not write"),
    "an old instance": (b"(ios\nsystem\n", "INST, which torch.save does not write"),
    "nothing at all": (b"", "damaged"),
    "a stack run empty": (b"R", "damaged"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_refused(fault: str) -> None:
    program, said = REFUSED[fault]
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TorchFileError, match="net.pt: .*" + said):
        read(program)
    assert time.monotonic() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # kB


def test_one_storage_a_thousand_times() -> None:
    body = np.zeros(1 << 18, "<f4").tobytes()
    program = b"(" + 1000 * tensor((1 << 18,), (1,), of=storage(n=1 << 18)) + b"t"
    with pytest.raises(TorchFileError, match="more than 4 times the file"):
        read(program, numbers=body)


@pytest.mark.parametrize(("data", "said"), [
    (b"\x80\x02}.", "no zip file"),
    (archive(b"}", compress=zipfile.ZIP_DEFLATED), "compressed"),
    (archive(b"}", **{"constants.pkl": b"x"}), "a TorchScript program"),
    (archive(b"}", byteorder=b"big"), "big-endian"),
    (archive(b"}", **{"more/data.pkl": b"x"}), "no data.pkl"),
])
def test_files_that_are_no_checkpoint(data: bytes, said: str) -> None:
    with pytest.raises(TorchFileError, match=said):
        torch_file.read(data, "net.pt")


def test_every_cut_and_every_flipped_byte() -> None:
    """Whatever one byte does to the program, an answer or a refusal comes, no other exception."""
    program = b"}(" + text("a") + tensor((3, 4), (4, 1)) + text("b") + tensor((12,), (1,)) + b"u"
    refused = 0
    for i in range(len(program)):
        for damaged in (program[:i], program[:i] + bytes([program[i] ^ 0x5A]) + program[i + 1:]):
            try:
                read(damaged)
            except TorchFileError:
                refused += 1
    assert refused > len(program)  # every cut at least


def test_as_torch_reads_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not here: run it by `make parity`")
    generator = torch.Generator().manual_seed(3)
    state = {f"{kind}": torch.randn(5, 7, generator=generator).to(kind)
             for kind in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8)}
    state["turned"] = torch.randn(4, 6, generator=generator).T
    state["tied"] = state["turned"]
    state["parameter"] = torch.nn.Parameter(torch.randn(3, generator=generator))
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "net.pt")
    found = torch_file.read((tmp_path / "net.pt").read_bytes(), "net.pt")
    assert found["epoch"] == 3
    for name, expected in state.items():
        expected = expected.detach()
        expected = expected.float() if expected.is_floating_point() else expected
        assert np.array_equal(found["state_dict"][name], expected.numpy()), name
