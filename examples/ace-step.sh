#!/bin/sh
# ACE-Step 1.5 XL turbo: 11.5 GB to download, not gated.
set -e

MODEL=ACE-Step/acestep-v15-xl-turbo-diffusers

# Eight steps and no guidance pass: the cheapest of the large ones. --offload all for a small GPU.
ditto-music control "indie rock with bright guitars" --model $MODEL --structure AABA --duration 30 --steps 8 --surrogate-steps 2 --gradient blocks --dtype bfloat16 --device cuda --offload all -o form.wav --report form.json

# A groove made to go round.
ditto-music loop groove.wav "funk drums and bass" --model $MODEL --steps 8 --surrogate-steps 2 --dtype bfloat16 --device cuda -o loop.wav
