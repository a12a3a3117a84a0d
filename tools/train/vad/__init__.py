"""Training of the speech detector (core/speech/vad.c); see tools/train/vad/README.md."""
