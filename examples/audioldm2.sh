#!/bin/sh
# AudioLDM2 for music: 4.6 GB to download, not gated, not for commercial use.
set -e

MODEL=cvssp/audioldm2-music@0019cb0bd4d314accff72aee1c3abd6f22929ba5

# A rise of 20 dB in ten seconds, at the one revision.
ditto-music control "calm piano ballad" --model $MODEL --intensity=-38:-18 --duration 10 --steps 20 --surrogate-steps 8 -o rise.wav --report rise.json

ditto-music inpaint take.wav "calm piano" --from 2.0 --to 3.0 --model $MODEL -o mended.wav
