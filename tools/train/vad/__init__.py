"""Training of the speech detector (core/diarize/vad.c); see tools/train/vad/README.md."""
