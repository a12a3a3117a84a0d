"""Where bfloat16 is worth while: a processor that does not multiply it itself is ten times slower with it."""

from __future__ import annotations

import functools
from pathlib import Path

import torch


@functools.cache
def _processor_has_bfloat16() -> bool:
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in words or "amx_bf16" in words


def fast_bfloat16(device: torch.device) -> bool:
    return device.type == "cuda" or _processor_has_bfloat16()
