"""The formats that people really send, made by ffmpeg from one voice: each embeds as what ffmpeg itself decodes from it."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path

import he_aac
import numpy as np
import pytest
from service import ROOT, Service, problem, speech, wav

SAME = 0.999  # least cosine to the samples that the ffmpeg command gives: only resamplers differ
WIDE, LOW = 0.98, 0.9  # least cosine to the voice before coding; LOW: ADPCM, or a codec of at most 32 kbit/s
# Name, ffmpeg's output options, container, codec, least cosine.
FORMATS = [
    ("m4a-aac", "-c:a aac -b:a 64k -f ipod", "m4a", "aac", WIDE), ("mp4-opus", "-c:a libopus -b:a 64k -f mp4", "mp4", "opus", WIDE),
    ("m4a-alac", "-c:a alac -f ipod", "m4a", "alac", WIDE), ("3gp-aac", "-c:a aac -b:a 64k -f 3gp", "3gp", "aac", WIDE),
    ("mp4-fragments", "-c:a aac -b:a 64k -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 500000 -f mp4",
     "mp4", "aac", WIDE),
    ("mp4-video", "-f lavfi -i testsrc=s=64x64:d=2 -c:v mpeg4 -c:a aac -b:a 64k -f mp4", "mp4", "aac", WIDE),
    ("webm-opus", "-c:a libopus -b:a 64k -f webm", "webm", "opus", WIDE),
    ("webm-live", "-c:a libopus -b:a 64k -live 1 -f webm", "webm", "opus", WIDE),
    ("mka-vorbis", "-c:a libvorbis -q:a 5 -f matroska", "matroska", "vorbis", WIDE), ("adts", "-c:a aac -b:a 64k -f adts", "aac", "aac", WIDE),
    ("wma", "-c:a wmav2 -b:a 96k -f asf", "asf", "wma_v2", WIDE), ("caf-alac", "-c:a alac -f caf", "caf", "alac", WIDE),
    ("wav-mp3", "-c:a libmp3lame -b:a 64k -f wav", "wav", "mp3", WIDE), ("ogg-flac", "-c:a flac -f ogg", "ogg", "flac", WIDE),
    ("wav-ima", "-c:a adpcm_ima_wav -f wav", "wav", "ima_adpcm", LOW), ("wav-ms", "-c:a adpcm_ms -f wav", "wav", "ms_adpcm", LOW),
    ("wav-gsm", "-ar 8000 -c:a libgsm_ms -f wav", "wav", "gsm", LOW), ("ogg-speex", "-c:a libspeex -f ogg", "ogg", "speex", LOW),
]


@pytest.fixture(scope="module")
def boxed() -> Iterator[Service]:
    with Service(model=ROOT / "models/voiceprint.safetensors", workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return speech(5.0)


def ffmpeg(*options: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *options], check=True, timeout=60)


def encode(source: bytes, options: str, folder: Path) -> bytes:
    made, given = folder / "made", folder / "given.wav"
    given.write_bytes(source)
    ffmpeg("-i", given, *options.split(), made)
    return made.read_bytes()


def decode(folder: Path, codec: str) -> bytes:
    """What ffmpeg gives for folder/made; of Opus by the codec's authors' own decoder."""
    ffmpeg(*(("-c:a", "libopus") if codec == "opus" else ()), "-i", folder / "made", "-c:a", "pcm_f32le", folder / "decoded.wav")
    return (folder / "decoded.wav").read_bytes()


def cosine(one: dict, other: dict) -> float:
    return float(np.dot(one["embedding"], other["embedding"]))


def check(service: Service, source: bytes, made: bytes, decoded: bytes, container: str, codec: str, least: float) -> None:
    response = service.embed(made)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["audio"]["container"], answer["audio"]["codec"]) == (container, codec)
    assert not {"damaged", "length_mismatch"} & set(answer["quality"]["warnings"])
    reference = service.embed(decoded).json()
    assert answer["audio"]["duration_s"] == pytest.approx(reference["audio"]["duration_s"], abs=1e-3)
    assert cosine(answer, reference) > SAME
    assert cosine(answer, service.embed(source).json()) > least


@pytest.mark.parametrize("name,options,container,codec,least", FORMATS, ids=[row[0] for row in FORMATS])
def test_formats(boxed: Service, voice: np.ndarray, tmp_path: Path, name: str, options: str, container: str, codec: str, least: float) -> None:
    """Telephone codecs are held against the voice at 8 kHz: the band above is not theirs to keep."""
    source = wav(voice)
    made = encode(source, options, tmp_path)
    if "-ar 8000" in options:
        ffmpeg("-i", tmp_path / "given.wav", "-ar", "8000", tmp_path / "narrow.wav")
        source = (tmp_path / "narrow.wav").read_bytes()
    check(boxed, source, made, decode(tmp_path, codec), container, codec, least)


def amr(voice: np.ndarray, wide: bool) -> bytes:
    """By the codecs' own libraries, which Debian's ffmpeg leaves out. voice: at 16 kHz if wide, else 8 kHz."""
    library = ctypes.CDLL("libvo-amrwbenc.so.0" if wide else "libopencore-amrnb.so.0")
    begin, encode_frame, end = (getattr(library, name) for name in (
        ("E_IF_init", "E_IF_encode", "E_IF_exit") if wide else ("Encoder_Interface_init", "Encoder_Interface_Encode", "Encoder_Interface_exit")))
    begin.restype = ctypes.c_void_p
    state = ctypes.c_void_p(begin(0))
    frame, mode = (320, 8) if wide else (160, 7)  # 20 ms; the highest bit rate: 23.85 and 12.2 kbit/s
    samples, coded = (np.clip(voice, -1, 1) * 32767).astype("<i2"), ctypes.create_string_buffer(500)
    out = b"#!AMR-WB\n" if wide else b"#!AMR\n"
    for at in range(0, len(samples) - frame + 1, frame):
        part = samples[at : at + frame].tobytes()
        n_bytes = encode_frame(state, mode, ctypes.c_char_p(part), coded, 0)
        out += coded.raw[:n_bytes]
    end(state)
    return out


@pytest.mark.parametrize("wide", [False, True], ids=["amr", "amr-wb"])
@pytest.mark.parametrize("boxing", ["amr", "3gp"])
def test_amr(boxed: Service, voice: np.ndarray, tmp_path: Path, wide: bool, boxing: str) -> None:
    source = wav(voice)
    (tmp_path / "given.wav").write_bytes(source)
    if not wide:
        ffmpeg("-i", tmp_path / "given.wav", "-ar", "8000", tmp_path / "narrow.wav")
        source = (tmp_path / "narrow.wav").read_bytes()
    samples = np.frombuffer(source[source.index(b"data") + 8 :], "<i2").astype(np.float32) / 32768
    (tmp_path / "bare.amr").write_bytes(amr(samples, wide))
    ffmpeg("-i", tmp_path / "bare.amr", "-c:a", "copy", "-f", boxing, tmp_path / "made")
    codec = "amr_wb" if wide else "amr_nb"
    check(boxed, source, (tmp_path / "made").read_bytes(), decode(tmp_path, codec), boxing, codec, LOW)


@pytest.mark.parametrize("boxing", ["adts", "m4a", "m4a that says so"])
def test_he_aac(boxed: Service, voice: np.ndarray, tmp_path: Path, boxing: str) -> None:
    """Half of the rate is coded, the decoder makes the whole of it."""
    source = wav(voice)
    (tmp_path / "bare.aac").write_bytes(he_aac.with_sbr(encode(source, "-ar 24000 -c:a aac -b:a 48k -f adts", tmp_path)))
    ffmpeg("-i", tmp_path / "bare.aac", "-c:a", "copy", "-f", "adts" if boxing == "adts" else "ipod", tmp_path / "made")
    made = (tmp_path / "made").read_bytes()
    if boxing == "m4a that says so":
        made = he_aac.saying_so(made)
        (tmp_path / "made").write_bytes(made)
    assert boxed.embed(made).json()["audio"]["sample_rate"] == 48000
    check(boxed, source, made, decode(tmp_path, "aac"), "aac" if boxing == "adts" else "m4a", "aac", WIDE)


def test_what_is_not_on_the_list(boxed: Service, voice: np.ndarray, tmp_path: Path) -> None:
    for options, detected in (("-c:a ac3 -f mp4", "mp4 (ac3)"), ("-c:a mp2 -f matroska", "matroska (mp2)")):
        response = boxed.embed(encode(wav(voice), options, tmp_path))
        assert (response.status_code, problem(response)) == (415, "unsupported-audio")
        assert response.json()["detected"] == detected
        assert "ffmpeg -i" in response.json()["detail"]
