#!/bin/sh
# MusicLDM: 2 GB to download, not gated, not for commercial use.
set -e

MODEL=ucsd-reach/musicldm@b8135e32e6b85e752c513d2e2ad44269e46024f7

# A melody, in note text.
ditto-music control "flute solo over soft strings" --model $MODEL --melody "C4 E4 G4 C5" --duration 8 --steps 20 --surrogate-steps 8 -o tune.wav --report tune.json

ditto-music inpaint take.wav "soft strings" --from 2.0 --to 3.0 --model $MODEL -o mended.wav
