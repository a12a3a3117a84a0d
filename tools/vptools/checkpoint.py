"""Reads published PyTorch checkpoints without running what their pickles ask for.

A pickle may name any callable. This reader knows the few that make tensors; everything else it
meets (pyannote's task descriptions, Lightning's callbacks) becomes an inert `Foreign` that does
nothing and is thrown away. No code of the file's choosing runs.
"""

from __future__ import annotations

import collections
import io
import pickle
import types
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

import torch
from torch import Tensor

from vptools.foreign import Foreign

PREFIXES = ("", "resnet.")  # WeSpeaker's names, pyannote's
TRAINING_HEAD = "projection."  # dropped by this name and no other
COUNTERS = "num_batches_tracked"
SEGMENTATION = "sincnet.conv1d.0.filterbank.low_hz_"  # in pyannote's segmentation networks alone
SECOND_LAYER = ("seg_2.", "seg_bn_1.")

_KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
}
_STORAGES = "Float Half BFloat16 Double Long Int Short Char Byte Bool".split()


class CheckpointError(Exception):
    """Why a checkpoint is refused, in a sentence."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module == "torch" and name.removesuffix("Storage") in _STORAGES:
            return getattr(torch, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return Foreign


def _load(file: Any, **kwargs: Any) -> Any:
    return _Unpickler(file, **kwargs).load()


# What torch.load expects of a pickle module.
_safe_pickle = types.SimpleNamespace(__name__="safe_pickle", Unpickler=_Unpickler, load=_load)


@dataclass
class Contents:
    """The network's tensors by WeSpeaker's names, and what was left out of the file."""

    tensors: dict[str, Tensor]
    dropped: list[str] = field(default_factory=list)  # training head
    counters: int = 0  # num_batches_tracked entries: no part of inference
    prefix: str = ""
    beside: list[str] = field(default_factory=list)  # top-level entries other than the state dict


def read(path: Path) -> Contents:
    """The network in a WeSpeaker (.pt, .ckpt) or pyannote (pytorch_model.bin) checkpoint."""
    return select(open_pickle(path), str(path))


def open_pickle(path: Path) -> Any:
    """What the checkpoint holds; objects of other people's classes are Foreign."""
    data = path.read_bytes()
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise CheckpointError(f"{path}: a TorchScript program, not a checkpoint; nothing was run")
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", pickle_module=_safe_pickle, **_unsafe_flag())
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(f"{path}: not a PyTorch checkpoint ({type(error).__name__}: {error})") from error


def is_segmentation(loaded: Any) -> bool:
    """Is it pyannote's segmentation network, and not an embedding network?"""
    state = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else {}
    return isinstance(state, Mapping) and SEGMENTATION in state


def select_segmentation(loaded: Any, origin: str) -> Contents:
    """The tensors of a segmentation network; the classes that name its task stay unbuilt."""
    beside = sorted(str(key) for key in loaded if key != "state_dict") if "state_dict" in loaded else []
    contents = Contents({}, beside=beside)
    for key, value in loaded.get("state_dict", loaded).items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise CheckpointError(f"{origin}: cannot explain {key}")
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{origin}: {key} has values that are not finite")
        contents.tensors[str(key)] = value.detach().float().contiguous()
    return contents


def _unsafe_flag() -> dict[str, bool]:
    """torch >= 2.6 must be told that the pickle module is ours."""
    return {"weights_only": False} if int(torch.__version__.split(".")[0]) >= 2 else {}


def select(loaded: Any, origin: str) -> Contents:
    """Picks the network's tensors; refuses every entry that it cannot explain."""
    beside: list[str] = []
    if isinstance(loaded, Mapping) and "state_dict" in loaded:
        beside = sorted(str(key) for key in loaded if key != "state_dict")
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"{origin}: holds a {type(loaded).__name__}, not a state dict")
    prefix = next((p for p in PREFIXES[::-1] if f"{p}conv1.weight" in loaded), None)
    if prefix is None:
        raise CheckpointError(f"{origin}: has neither conv1.weight nor resnet.conv1.weight")
    contents = Contents({}, prefix=prefix, beside=beside)
    unexplained = []
    for key, value in loaded.items():
        name = str(key).removeprefix(prefix)
        if name.startswith(TRAINING_HEAD) or str(key).startswith(TRAINING_HEAD):
            contents.dropped.append(str(key))
        elif not str(key).startswith(prefix) or not isinstance(value, Tensor):
            unexplained.append(str(key))
        elif name.endswith("." + COUNTERS):
            contents.counters += 1
        elif name.startswith(SECOND_LAYER):
            raise CheckpointError(f"{origin}: {key} is of a net with two embedding layers; not supported")
        elif not value.is_floating_point():
            unexplained.append(f"{key} ({value.dtype})")
        elif not torch.isfinite(value).all():
            raise CheckpointError(f"{origin}: {key} has values that are not finite")
        else:
            contents.tensors[name] = value.detach().float().contiguous()
    if unexplained:
        raise CheckpointError(f"{origin}: cannot explain {', '.join(unexplained)}")
    return contents
