#!/bin/sh
# Stable Audio 3: accept its terms at https://huggingface.co/stabilityai/stable-audio-3-medium,
# run hf auth login, and convert it once in a clone of diffusers (docs/models/stable-audio-3.md) into
# the folder below.
set -e

MODEL=./stable-audio-3-medium

# Searched on two steps, decoded on eight, the noises on the way searched too: in the manner of DITTO-2.
ditto-music control "house music, 124 bpm" --model $MODEL --intensity "0=-30,15=-14,30=-24" --duration 30 --sampler ping-pong --later-noises --steps 8 --surrogate-steps 2 -o arch.wav --report arch.json

# Eight more seconds of a recording.
ditto-music outpaint take.wav "house music, 124 bpm" --seconds 8 --model $MODEL --steps 8 --surrogate-steps 2 -o longer.wav
