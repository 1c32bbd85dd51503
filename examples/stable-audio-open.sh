#!/bin/sh
# Stable Audio Open 1.0: accept its terms once at
# https://huggingface.co/stabilityai/stable-audio-open-1.0, then: hf auth login
set -e

MODEL=stabilityai/stable-audio-open-1.0

# A loop that swells, with the least memory; --device cuda on a GPU.
ditto-music control "warm analog synth pads, 120 bpm" --model $MODEL --intensity=-36:-16 --duration 8 --steps 25 --surrogate-steps 8 --gradient blocks --dtype bfloat16 -o swell.wav --report swell.json

# Two bad seconds of a recording made new.
ditto-music inpaint take.wav "acoustic drum kit" --from 3.0 --to 5.0 --model $MODEL --steps 25 --gradient blocks -o mended.wav
