"""Training of the detector of one voice among several; see tools/train/tsvad/README.md."""
