"""What one would write in an afternoon instead: FastAPI around an engine from PyPI.

ENGINE is `onnxruntime` (with kaldi-native-fbank), `sherpa-onnx` or `pyannote` (PyTorch). All compute
the network of MODEL, an ONNX file; pyannote reads the weights from the .safetensors beside it. One
thread for each process. The handler computes in the event loop: with one core a process that is the
fastest way, and nothing waits for a thread pool.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

RATE_HZ = 16000
MODEL = Path(os.environ["MODEL"])
Engine = Callable[[np.ndarray], np.ndarray]  # samples [n] in [-1, 1] -> embedding [dim]


def onnxruntime_engine() -> Engine:
    import kaldi_native_fbank as knf
    import onnxruntime

    threads = onnxruntime.SessionOptions()
    threads.intra_op_num_threads = threads.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(MODEL), threads, providers=["CPUExecutionProvider"])
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = 80
    options.mel_opts.debug_mel = False
    options.energy_floor = 0

    def embed(samples: np.ndarray) -> np.ndarray:
        fbank = knf.OnlineFbank(options)
        fbank.accept_waveform(RATE_HZ, samples * 32768)
        fbank.input_finished()
        frames = np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])
        feats = frames - frames.mean(axis=0)
        return session.run(None, {session.get_inputs()[0].name: feats[None]})[0].ravel()

    return embed


def sherpa_engine() -> Engine:
    import sherpa_onnx

    extractor = sherpa_onnx.SpeakerEmbeddingExtractor(
        sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=str(MODEL), num_threads=1, provider="cpu"))

    def embed(samples: np.ndarray) -> np.ndarray:
        stream = extractor.create_stream()
        stream.accept_waveform(RATE_HZ, samples)
        stream.input_finished()
        return np.array(extractor.compute(stream))

    return embed


def pyannote_engine() -> Engine:
    import torch
    from pyannote.audio.models.embedding import WeSpeakerResNet34
    from safetensors.torch import load_file

    torch.set_num_threads(1)
    model = WeSpeakerResNet34().eval()
    model.resnet.load_state_dict(load_file(MODEL.with_suffix(".safetensors")), strict=False)

    @torch.inference_mode()
    def embed(samples: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(samples)[None, None]).numpy().ravel()

    return embed


ENGINES = {"onnxruntime": onnxruntime_engine, "sherpa-onnx": sherpa_engine, "pyannote": pyannote_engine}
app = FastAPI()
engine = ENGINES[os.environ["ENGINE"]]()


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/embed")
async def embed(request: Request) -> JSONResponse:
    samples, rate = soundfile.read(io.BytesIO(await request.body()), dtype="float32")
    if rate != RATE_HZ or samples.ndim != 1:
        raise HTTPException(422, "16 kHz mono is taken")
    embedding = engine(samples)
    norm = float(np.linalg.norm(embedding))
    return JSONResponse({"embedding": (embedding / norm).tolist(), "norm": norm,
                         "duration_s": len(samples) / rate})
