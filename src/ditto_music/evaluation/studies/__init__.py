"""The questions that the work must answer, each a study that one command runs.

A study plans items, measures each on a model and makes a table and a figure of the rows; running
them, once each, is `ditto_music.evaluation.studies.running`. To add one, write its question here
and a `Study` in a file of its name. It is imported when it is asked for: most need the judges.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING

from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.evaluation.studies.study import Study

#: By the study's name, in their order.
QUESTIONS = {
    "memory": "What do time and memory of an iteration do as the sampler takes more steps, when "
    "activations are stored, made again (checkpointing), or rebuilt by an invertible sampler?",
    "variables": "How much control sits in the initial noise, against the prompt's embedding and "
    "the noises of later steps, alone and together?",
    "lines": "One core, many tasks: how many lines does a control need, and how far does the core "
    "take it?",
    "guidance": "What does searching the noise give for its cost, against guiding the steps of one "
    "walk, or drawing many and keeping the best?",
    "stochastic": "Does it matter that the sampler inside the optimisation is deterministic: what "
    "do noises in its steps cost, fixed or fresh in each iteration?",
    "reuse": "How different are clips from one optimised noise, and what of the control do they "
    "keep, as the fresh noise of their sampling (eta) grows?",
    "spectrum": "Does x_T encode slow structure: where along the latent's spectrum over time do "
    "the updates live, and what does the slow part of a noise alone decide?",
    "decoder": "Decoder in or out of the gradient's path: what does it cost, and what does a "
    "control that never hears the audio get wrong?",
    "correlation": "Level or shape: what does asking for the correlation with an intensity curve "
    "instead of its dB win and lose?",
    "samplers": "Does a better sampler optimise better: DDIM, DPM-Solver++, Heun or "
    "Adams-Bashforth inside the search, at equal denoiser calls?",
}


def study_named(name: str) -> Study:
    """A study.

    Raises
    ------
    InputError
        If there is none of this name; the nearest is told.
    """
    if name not in QUESTIONS:
        near = difflib.get_close_matches(name, QUESTIONS, n=1, cutoff=0.4)
        mend = f"did you mean {near[0]}?" if near else f"take {', '.join(QUESTIONS)}"
        raise InputError(f"study '{name}' is unknown: {mend}")
    return import_module(f"{__name__}.{name}").STUDY


__all__ = ["QUESTIONS", "study_named"]
