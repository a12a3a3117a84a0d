"""The page's own arithmetic against NumPy, on odd sizes."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy
import pytest
from browser import Browser
from conftest import write_wav


def kaldi_fbank(samples: numpy.ndarray) -> numpy.ndarray:
    """[n] in [-1, 1] at 16 kHz -> log-mel [frames, 80], after Kaldi's feature-fbank, in float64."""
    n_frames = 1 + (len(samples) - 400) // 160
    frames = numpy.stack([samples[160 * t:160 * t + 400] for t in range(n_frames)]) * 32768.0
    frames = frames - frames.mean(1, keepdims=True)
    emphasised = frames.copy()
    emphasised[:, 1:] -= 0.97 * frames[:, :-1]
    emphasised[:, 0] -= 0.97 * frames[:, 0]
    window = (0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(400) / 399)) ** 0.85
    power = numpy.abs(numpy.fft.rfft(emphasised * window, 512))[:, :256] ** 2

    def mel(hz: numpy.ndarray | float) -> numpy.ndarray:
        return 1127.0 * numpy.log(1.0 + numpy.asarray(hz) / 700.0)

    edges = numpy.linspace(mel(20), mel(8000), 82)
    bins = mel(numpy.arange(256) * 16000 / 512)
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    weights = numpy.maximum(0, numpy.minimum(rising, falling))
    return numpy.log(numpy.maximum(power @ weights.T, numpy.finfo(numpy.float32).eps))


@pytest.mark.parametrize("n", [400, 559, 560, 7777])
def test_log_mel(page: Browser, n: int) -> None:
    samples = numpy.random.default_rng(n).normal(0, 0.1, n).astype(numpy.float32)
    got = page.run("""
        const { logMel } = await import('/pages/fbank.js');
        const { mel, frames } = logMel(Float32Array.from(given[0]));
        return { mel: [...mel], frames };""", samples.tolist())
    expected = kaldi_fbank(samples.astype(numpy.float64))
    assert got["frames"] == len(expected)
    assert numpy.array(got["mel"]).reshape(-1, 80) == pytest.approx(expected, abs=1e-4)


def test_log_mel_of_too_little(page: Browser) -> None:
    assert page.run("""
        const { logMel } = await import('/pages/fbank.js');
        return logMel(new Float32Array(399)).frames;""") == 0


@pytest.mark.parametrize("n", [3, 7, 40])
def test_classical_mds(page: Browser, n: int) -> None:
    vectors = numpy.random.default_rng(n).normal(size=(n, 12))
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    got = page.run("""
        const { classicalMds } = await import('/pages/vectors.js');
        return classicalMds(given[0]);""", (vectors @ vectors.T).tolist())
    left, values, _ = numpy.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    points = numpy.array(got["points"])
    signs = numpy.sign((points * expected).sum(0))
    assert points * signs == pytest.approx(expected, abs=1e-6)
    assert got["kept"] == pytest.approx((values[:2] ** 2).sum() / (values ** 2).sum(), abs=1e-9)


def test_clusters(page: Browser) -> None:
    """Two tight groups, mixed up in the list."""
    vectors = numpy.array([[1, 0.1], [0.1, 1], [1, 0], [0, 1], [1, -0.1]])
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    got = page.run("""
        const { cluster } = await import('/pages/vectors.js');
        return cluster(given[0], 0.5);""", (vectors @ vectors.T).tolist())
    assert sorted(map(sorted, got["groups"])) == [[0, 2, 4], [1, 3]]
    place = {leaf: i for i, leaf in enumerate(got["order"])}
    assert sorted(place) == [0, 1, 2, 3, 4]
    assert max(place[i] for i in (0, 2, 4)) - min(place[i] for i in (0, 2, 4)) == 2


def test_16_khz_goes_through_unchanged(page: Browser, voices: dict[str, Path]) -> None:
    """File -> the browser's decoder -> our encoder: the same bytes."""
    original = voices["a-1"].read_bytes()
    got = page.run("""
        const { decode } = await import('/pages/audio.js');
        const { encodeWav } = await import('/pages/wav.js');
        const bytes = Uint8Array.from(atob(given[0]), (c) => c.charCodeAt(0));
        const { samples } = await decode(new Blob([bytes]));
        const wav = new Uint8Array(await encodeWav(samples, 16000).arrayBuffer());
        return btoa(Array.from(wav, (b) => String.fromCharCode(b)).join(''));""",
                   base64.b64encode(original).decode())
    assert base64.b64decode(got) == original


@pytest.mark.parametrize("rate, channels", [(48000, 2), (44100, 1), (8000, 1)])
def test_a_tone_survives_resampling(page: Browser, tmp_path: Path, rate: int, channels: int) -> None:
    """1 kHz in, 1 kHz out at half scale, at 16 kHz mono, and nothing else above -50 dB."""
    t = numpy.arange(rate) / rate
    tone = 0.5 * numpy.sin(2 * numpy.pi * 1000 * t)
    samples = tone if channels == 1 else numpy.stack([tone] * channels, 1)
    file = write_wav(tmp_path / "tone.wav", samples, rate)
    got = numpy.array(page.run("""
        const { decode } = await import('/pages/audio.js');
        const bytes = Uint8Array.from(atob(given[0]), (c) => c.charCodeAt(0));
        return [...(await decode(new Blob([bytes]))).samples];""",
                               base64.b64encode(file.read_bytes()).decode()))
    assert abs(len(got) - 16000) <= 2
    inner = got[1000:1000 + 14400]
    spectrum = numpy.abs(numpy.fft.rfft(inner * numpy.hanning(len(inner))))
    peak = spectrum.argmax()
    assert peak * 16000 / len(inner) == pytest.approx(1000, abs=2)
    assert numpy.abs(inner).max() == pytest.approx(0.5, abs=0.01)
    spectrum[peak - 5:peak + 6] = 0
    assert spectrum.max() < 3e-3 * (len(inner) / 4) * 0.5 * 2


def test_channels_that_differ_are_told(page: Browser, tmp_path: Path) -> None:
    rng = numpy.random.default_rng(3)
    two = rng.uniform(-0.3, 0.3, (16000, 2))
    for name, samples, warnings, level in (
            ("apart", two, ["channels_differ"], 0.3 / 6 ** 0.5),
            ("same", two[:, [0, 0]], [], 0.3 / 3 ** 0.5),
            ("opposite", two[:, [0, 0]] * [1, -1], ["channels_differ"], 0.3 / 3 ** 0.5)):
        file = write_wav(tmp_path / f"{name}.wav", samples)
        got = page.run("""
            const { decode } = await import('/pages/audio.js');
            const bytes = Uint8Array.from(atob(given[0]), (c) => c.charCodeAt(0));
            const { samples, warnings } = await decode(new Blob([bytes]));
            const power = samples.reduce((s, x) => s + x * x, 0) / samples.length;
            return [warnings, Math.sqrt(power)];""", base64.b64encode(file.read_bytes()).decode())
        assert got[0] == warnings, name
        # Channels that cancel out do not end in silence.
        assert got[1] == pytest.approx(level, rel=0.03), name
