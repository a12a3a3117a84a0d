"""Training of the speech detector (core/diarize/speech/vad.c); see tools/train/vad/README.md."""
