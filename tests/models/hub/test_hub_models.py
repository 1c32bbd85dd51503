"""Adapters on small checkpoints of the real classes: exact, differentiable, and of use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ditto_music import InputError, Intensity, Match, generate, load_model, optimize
from ditto_music.audio import Recording
from ditto_music.editing import inpaint
from ditto_music.memory import Estimate
from ditto_music.models.hub.load import is_hub
from ditto_music.models.hub.mel import schedule_of
from ditto_music.problem import Problem
from ditto_music.result import Settings
from ditto_music.sampling import Guidance, ddim, guided, ping_pong
from tests.models.hub.checkpoints import MODELS, own_guidance

SECONDS, STEPS = 0.64, 3
PROMPT = "calm piano"


def loaded(folders: dict[str, Path], name: str, dtype: torch.dtype = torch.float32) -> Any:
    model: Any = load_model(str(folders[name]), dtype="float32")
    if dtype == torch.float64:
        for part in model.pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.double()
    return model


def noise(model: Any, seconds: float = SECONDS, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, *model.latent_shape(seconds), generator=generator)


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp(min=1))


# --- exactness -----------------------------------------------------------------------------------


def walked(model: Any, z: Tensor, guidance: float) -> Tensor:
    with torch.no_grad():
        condition = model.condition([PROMPT], SECONDS)
        negative = model.condition([""], SECONDS)
        denoise = guided(model.denoise, condition, negative, guidance)
        return ddim(denoise, z, model.schedule, STEPS)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_stable_audio_3_gives_the_pipelines_own_latents(
    folders: dict[str, Path], guidance: float
) -> None:
    model = loaded(folders, "StableAudio3Pipeline")
    z = noise(model)
    theirs = model.pipe(
        PROMPT, duration=SECONDS, num_inference_steps=STEPS, guidance_scale=guidance, latents=z,
        output_type="latent",
    ).audios  # fmt: skip
    assert apart(walked(model, z, guidance), theirs) < 1e-4


def test_stable_audio_3_distilled_with_its_noises_pinned(folders: dict[str, Path]) -> None:
    model = loaded(folders, "distilled")
    assert model.baked
    z = noise(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        noises = torch.stack([torch.randn(z.shape) for _ in range(STEPS)])
        torch.manual_seed(5)
        theirs = model.pipe(
            PROMPT, duration=SECONDS, num_inference_steps=STEPS, latents=z, output_type="latent"
        ).audios
    with torch.no_grad():
        condition = model.condition([PROMPT], SECONDS)
        ours = ping_pong(
            lambda x, t: model.denoise(x, t, condition), z, model.schedule, STEPS, noises[:-1]
        )
    assert apart(ours, theirs) < 1e-4


def test_ace_step_turbo_gives_the_pipelines_own_latents(folders: dict[str, Path]) -> None:
    model = loaded(folders, "AceStepPipeline")
    assert model.baked
    z = noise(model)
    theirs = model.pipe(
        PROMPT,
        audio_duration=SECONDS,
        num_inference_steps=STEPS,
        latents=z.mT,
        output_type="latent",
    ).audios.mT
    assert apart(walked(model, z, 1.0), theirs) < 1e-4


def test_ace_step_base_is_guided_by_its_null_condition(folders: dict[str, Path]) -> None:
    """A single null token, repeated to any length, is one condition."""
    model = loaded(folders, "base")
    assert not model.baked
    z, t = noise(model), torch.tensor(0.7)
    prompt, null = model.condition([PROMPT], SECONDS), model.condition([""], SECONDS)
    both = prompt + null
    with torch.no_grad():
        alone = model.denoise(z, t, null)
        _, joined = model.denoise(torch.cat([z, z]), t, both).chunk(2)
        wide = null.tensors["words"].expand_as(prompt.tensors["words"])
        theirs = model.pipe.transformer(
            hidden_states=z.mT, timestep=t[None], timestep_r=t[None], encoder_hidden_states=wide,
            context_latents=null.tensors["context"], return_dict=False,
        )[0]  # fmt: skip
    assert apart(joined, alone) < 1e-5
    assert apart(z - t * theirs.mT, alone) < 1e-5


def test_ace_steps_items_depend_on_none_beside_them(folders: dict[str, Path]) -> None:
    """Its network has no mask: what is filled up would be heard. An empty one is the null."""
    model = loaded(folders, "base")
    prompts = [PROMPT, "", "a much longer prompt of many words", PROMPT + "s"]
    z, t = noise(model).repeat(len(prompts), 1, 1), torch.tensor(0.7)
    both = model.condition(prompts, SECONDS) + model.condition(["loud"] * 4, SECONDS)
    with torch.no_grad():
        together = model.denoise(torch.cat([z, z]), t, both)
        picked = model.denoise(z[:2], t, both[[1, 2]])
        alone = [
            model.denoise(z[:1], t, model.condition([prompt], SECONDS))
            for prompt in [*prompts, *["loud"] * 4]
        ]
    assert apart(together, torch.cat(alone)) < 1e-5
    assert apart(picked, torch.cat(alone[1:3])) < 1e-5
    assert apart(alone[0], alone[1]) > 1e-3


@pytest.mark.parametrize("scale", [1.0, 7.0])
def test_ace_step_base_gives_the_pipelines_own_latents(
    folders: dict[str, Path], scale: float
) -> None:
    """Guided by its own rule, with projection, limit and momentum."""
    model = loaded(folders, "base")
    z = noise(model)
    theirs = model.pipe(
        PROMPT, audio_duration=SECONDS, num_inference_steps=STEPS, guidance_scale=scale,
        latents=z.mT, output_type="latent",
    ).audios.mT  # fmt: skip
    how = replace(model.guidance, scale=scale)
    for plan in ("plain", "checkpoint"):
        settings = Settings(SECONDS, STEPS, how, sampler="ddim", gradient=plan)
        problem = Problem(model, PROMPT, None, 0, settings)
        ours = problem.sample(z.clone().requires_grad_(), [0], STEPS).detach()
        assert apart(ours, theirs) < 1e-4
    assert model.guidance.scale == 7.0
    assert (apart(walked(model, z, scale), theirs) > 1e-3) == (scale > 1)


def test_a_number_keeps_ace_steps_own_rule(folders: dict[str, Path]) -> None:
    """As its pipeline's `guidance_scale` does; plain is what is said to be."""
    model = loaded(folders, "base")
    z = noise(model)
    theirs = model.pipe(
        PROMPT, audio_duration=SECONDS, num_inference_steps=STEPS, guidance_scale=3.0,
        latents=z.mT, output_type="latent",
    ).audios.mT  # fmt: skip
    quick: dict[str, Any] = {"duration": SECONDS, "steps": STEPS, "sampler": "ddim", "x_T": z}
    number, plain = (generate(model, PROMPT, guidance=g, **quick) for g in (3.0, Guidance(3.0)))
    assert apart(number.items[0].latent[None], theirs) < 1e-4
    assert apart(plain.items[0].latent[None], theirs) > 1e-3
    assert number.settings.guidance == replace(model.guidance, scale=3.0)
    for off in (1.0, 0.5):
        assert Problem(model, PROMPT, None, 0, Settings(SECONDS, 2, off)).settings.guidance == off


def test_what_only_covers_need_is_not_read(folders: dict[str, Path]) -> None:
    model = loaded(folders, "AceStepPipeline")
    assert (folders["AceStepPipeline"] / "audio_tokenizer").is_dir()
    assert {"audio_tokenizer", "audio_token_detokenizer"}.isdisjoint(model.parts.names())
    assert model.weight_bytes()[0] == model.parts.bytes_of()


@pytest.mark.parametrize("name", ["distilled", "AceStepPipeline"])
def test_guidance_in_the_weights_is_neither_added_to_nor_told(
    folders: dict[str, Path], name: str
) -> None:
    model = loaded(folders, name)
    one, three, own = (
        generate(model, PROMPT, duration=SECONDS, steps=2, guidance=scale)
        for scale in (1.0, 3.0, None)
    )
    assert torch.equal(one.audio, three.audio)
    assert torch.equal(one.audio, own.audio)
    told = [made.report()["guidance"] for made in (one, three, own)]
    assert told == [1.0, 1.0, 1.0]


def test_stable_audio_3_that_is_not_distilled_is_guided_where_asked(
    folders: dict[str, Path],
) -> None:
    """As its pipeline, which defaults to no guidance."""
    model = loaded(folders, "StableAudio3Pipeline")
    assert not model.baked
    quick = {"duration": SECONDS, "steps": 2}
    own, three = (
        generate(model, PROMPT, guidance=scale, **quick).report()["guidance"]
        for scale in (None, 3.0)
    )
    assert (own, three) == (1.0, 3.0)


@pytest.mark.parametrize("clean_end", [False, True])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("name", ["MusicLDMPipeline", "AudioLDM2Pipeline"])
def test_mel_models_give_the_pipelines_own_latents(
    folders: dict[str, Path], name: str, guidance: float, clean_end: bool
) -> None:
    """Where the last step ends without noise, and where it keeps the first step's."""
    model = loaded(folders, name)
    assert model.pipe.scheduler.config.set_alpha_to_one is False  # as the converters save it
    scheduler = type(model.pipe.scheduler)
    model.pipe.scheduler = scheduler.from_config(
        model.pipe.scheduler.config, set_alpha_to_one=clean_end
    )
    model.schedule = schedule_of(model.pipe.scheduler)
    z, steps = noise(model), 4  # divides their thousand
    asked: dict[str, Any] = {"prompt": PROMPT}
    if name == "MusicLDMPipeline":  # its reader of prompts is broken by transformers 5
        embeds = [model.condition([words], SECONDS).tensors["text"] for words in (PROMPT, "")]
        asked = {"prompt_embeds": embeds[0], "negative_prompt_embeds": embeds[1]}
    theirs = model.pipe(
        **asked, audio_length_in_s=SECONDS, num_inference_steps=steps, guidance_scale=guidance,
        latents=z.mT, output_type="latent",
    ).audios.mT  # fmt: skip
    problem = Problem(model, PROMPT, None, 0, Settings(SECONDS, steps, guidance))
    with torch.no_grad():
        ours = ddim(problem.denoiser([0]), z, model.schedule, steps)
    assert apart(ours, theirs) < 1e-4


@pytest.mark.parametrize("negative", ["", "loud drums and voices"])
def test_an_item_of_audioldm2_is_guided_as_the_pipeline_does_whatever_is_beside_it(
    folders: dict[str, Path], negative: str
) -> None:
    """Its language model's tokens depend on the length that prompts are padded to."""
    model = loaded(folders, "AudioLDM2Pipeline")
    z, steps, prompts = noise(model), 4, [PROMPT, "a much longer prompt", ""]
    theirs = model.pipe(
        PROMPT, negative_prompt=negative, audio_length_in_s=SECONDS, num_inference_steps=steps,
        guidance_scale=3.0, latents=z.mT, output_type="latent",
    ).audios.mT  # fmt: skip
    settings = Settings(SECONDS, steps, 3.0, negative_prompt=negative)
    problem = Problem(model, prompts, None, 0, settings)
    with torch.no_grad():
        walk = ddim(problem.denoiser([0, 1, 2]), z.repeat(3, 1, 1, 1), model.schedule, steps)
    assert apart(walk[:1], theirs) < 1e-4


@pytest.mark.parametrize("level", [400.0, 20.0, 1.0, 0.4])
def test_stable_audio_open_has_the_schedulers_own_clean_estimates(
    folders: dict[str, Path], level: float
) -> None:
    """Of the stochastic scheduler it ships with, which walks scaled latents."""
    import diffusers

    scheduler: Any = diffusers.CosineDPMSolverMultistepScheduler.from_pretrained(
        folders["StableAudioPipeline"], subfolder="scheduler"
    )
    model = loaded(folders, "StableAudioPipeline")
    x, sigma = noise(model), torch.tensor(level)
    t = torch.atan(sigma) * 2 / torch.pi
    wide = x * (sigma**2 + 1).sqrt()
    condition = model.condition([PROMPT], SECONDS)
    with torch.no_grad():
        output = model.pipe.transformer(
            scheduler.precondition_inputs(wide, sigma),
            scheduler.precondition_noise(sigma)[None],
            encoder_hidden_states=condition.tensors["words"],
            global_hidden_states=condition.tensors["seconds"],
            rotary_embedding=model.rotary,
            return_dict=False,
        )[0]
        theirs = scheduler.precondition_outputs(wide, output, sigma)
        ours = model.denoise(x, t, condition)
    assert apart(ours, theirs) < 1e-4
    assert float(model.schedule.times(4)[0]) == pytest.approx(0.99873, abs=1e-5)


@pytest.mark.parametrize("guidance", [1.0, 7.0])
def test_stable_audio_open_is_asked_what_the_pipeline_asks(
    folders: dict[str, Path], guidance: float
) -> None:
    """Words, seconds, rotary embedding, and the half without words."""
    model = loaded(folders, "StableAudioPipeline")
    asked: list[dict[str, Any]] = []
    network = model.pipe.transformer

    def heard(_module: Any, _inputs: Any, given: dict[str, Any]) -> None:
        asked.append(given)

    hook = network.register_forward_pre_hook(heard, with_kwargs=True)
    model.pipe(
        PROMPT, audio_end_in_s=SECONDS, num_inference_steps=2, guidance_scale=guidance,
        generator=torch.Generator().manual_seed(0), output_type="latent",
    )  # fmt: skip
    theirs = asked[0]
    asked.clear()
    problem = Problem(model, PROMPT, None, 0, Settings(SECONDS, 2, guidance))
    with torch.no_grad():
        problem.denoiser([0])(noise(model), torch.tensor(0.9))
    hook.remove()
    (ours,) = asked
    for name in ("encoder_hidden_states", "global_hidden_states"):
        halves = theirs[name].chunk(2)[::-1] if guidance > 1 else [theirs[name]]
        # The pipeline says how long the clip is in its unguided half too, beside no words.
        assert apart(ours[name], torch.cat(halves)) < 1e-6
    for one, other in zip(ours["rotary_embedding"], theirs["rotary_embedding"], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_decoding_is_the_pipelines_own(folders: dict[str, Path], name: str) -> None:
    """By blocks and stretches, with its gradient."""
    model = loaded(folders, name)
    vae, latent = model.pipe.vae, noise(model).requires_grad_()
    if hasattr(model.pipe, "mel_spectrogram_to_waveform"):
        mel = vae.decode(latent.mT / vae.config.scaling_factor).sample
        theirs = model.pipe.vocoder(mel.squeeze(1))[:, None]
        with torch.no_grad():
            assert apart(model.pipe.mel_spectrogram_to_waveform(mel), theirs[:, 0]) < 1e-6
    else:
        theirs = vae.decode(latent).sample
    ours = model.decode(latent)
    assert ours.shape == theirs.shape
    assert apart(ours, theirs) < 1e-5
    first, second = (torch.autograd.grad(x.square().sum(), latent)[0] for x in (ours, theirs))
    assert apart(first, second) < 1e-4


@pytest.mark.parametrize("name", ["StableAudioPipeline", "AceStepPipeline"])
def test_a_short_clip_is_decoded_from_its_own_latents(folders: dict[str, Path], name: str) -> None:
    model = loaded(folders, name)
    problem = Problem(model, PROMPT, None, 0, Settings(duration=SECONDS))
    latent = noise(model)
    with torch.no_grad():
        short, whole = problem.clip(latent).audio, model.decode(latent)
    assert short.shape[-1] == round(SECONDS * model.sample_rate)
    assert apart(short, whole[..., : short.shape[-1]]) < 1e-5


# --- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_that_of_finite_differences(folders: dict[str, Path], name: str) -> None:
    """Through network, guidance, sampler and decoder."""
    model = loaded(folders, name, torch.float64)
    settings = Settings(duration=SECONDS, steps=2, guidance=2.0, gradient="checkpoint")
    problem = Problem(model, PROMPT, None, 0, settings)
    problem.condition = type(problem.condition)(
        {
            k: v.double() if v.is_floating_point() else v
            for k, v in problem.condition.tensors.items()
        }
    )
    problem.negative = type(problem.negative)(
        {k: v.double() if v.is_floating_point() else v for k, v in problem.negative.tensors.items()}
    )
    model_decode = model.decode

    def loss(x_T: Tensor) -> Tensor:
        audio = model_decode(problem.sample(x_T, [0], 2))
        return (audio.double() * torch.linspace(-1, 1, audio.shape[-1]).double()).sum()

    x_T = noise(model).double().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x_T), x_T)
    assert gradient.abs().max() > 0
    direction = torch.randn(
        x_T.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    h = 1e-4  # time is in float32
    with torch.no_grad():
        rise = loss(x_T + h * direction) - loss(x_T - h * direction)
    assert float(rise / (2 * h)) == pytest.approx(
        float((gradient * direction).sum()), rel=2e-2, abs=1e-5
    )


# --- use -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_loading_generating_and_controlling(folders: dict[str, Path], name: str) -> None:
    model = loaded(folders, name)
    quick = {"duration": 2.0, "steps": 3, "guidance": own_guidance(name)}
    free = generate(model, PROMPT, **quick)
    assert free.audio.shape == (1, model.channels, round(2.0 * model.sample_rate))
    assert free.audio.isfinite().all()
    # A random network's loudness hardly moves; what another noise becomes can be reached.
    reference = generate(model, PROMPT, seed=9, **quick).items[0].latent
    match = Match(reference, torch.ones(reference.shape[-1]))
    before = generate(model, PROMPT, match, **quick).items[0].final["match"]
    made = optimize(model, PROMPT, match, surrogate_steps=3, iterations=25, **quick)
    assert made.items[0].final["match"] < 0.5 * before
    report = made.report()
    assert report["model"] == str(folders[name])
    assert report["sample_rate"] == model.sample_rate


@pytest.mark.parametrize("name", MODELS)
def test_guidance_within_an_interval(folders: dict[str, Path], name: str) -> None:
    """Its share of the noise is read in the rehearsal too; what is told counts the costlier call.

    Where guidance is in the weights there is none to be had.
    """
    model = loaded(folders, name)
    how = replace(model.guidance, scale=3.0, interval=(0.2, 0.7))
    quick: dict[str, Any] = {"duration": SECONDS, "steps": 4}
    told: list[Estimate] = []
    within, everywhere, nowhere = (
        generate(model, PROMPT, guidance=each, expect=told.append, **quick)
        for each in (how, replace(how, interval=(0.0, 1.0)), replace(how, scale=1.0))
    )
    assert told[0].network == told[1].network >= told[2].network
    assert (told[0].network == told[2].network) == model.baked
    for other in (everywhere, nowhere):
        assert torch.equal(within.audio, other.audio) == model.baked


@pytest.mark.parametrize("name", MODELS)
def test_a_curve_asked_of_the_audio_is_approached(folders: dict[str, Path], name: str) -> None:
    """That of another noise: a random decoder's level hardly moves, and this one it can reach."""
    model = loaded(folders, name)
    quick = {"duration": 2.0, "steps": 2, "guidance": own_guidance(name)}
    other = generate(model, PROMPT, Intensity([-30, -30]), seed=9, **quick).items[0].panels[0]
    times = [2.0 * (i + 0.5) / len(other.achieved) for i in range(len(other.achieved))]
    wanted = Intensity([*zip(times, other.achieved.tolist(), strict=True)])
    item = optimize(
        model, PROMPT, wanted, surrogate_steps=2, iterations=20, tolerance=0.0, **quick
    ).items[0]
    assert item.final["loss"] < 0.5 * item.history[0]["loss"]


@pytest.mark.parametrize("name", MODELS)
def test_inpainting_leaves_the_rest_alone(folders: dict[str, Path], name: str) -> None:
    import numpy as np

    model = loaded(folders, name)
    rate, rng = 1000, np.random.default_rng(0)
    take = Recording.of(0.1 * rng.standard_normal((2, 6 * rate)).astype(np.float32), rate)
    made = inpaint(
        model, take, [(2.5, 3.5)], PROMPT, steps=2, surrogate_steps=2, iterations=2,
        guidance=own_guidance(name),
    )  # fmt: skip
    same = (made.recording.samples == take.samples).all(1)
    assert same[: 2 * rate].all() and same[4 * rate :].all()
    assert not same[round(2.6 * rate) : round(3.4 * rate)].all()


@pytest.mark.parametrize("name", [*MODELS, "44100", "44100, third", "48000"])
def test_a_clip_of_any_length_has_as_many_frames_as_its_encoding(
    folders: dict[str, Path], name: str
) -> None:
    model = loaded(folders, name)
    rate, hop = model.sample_rate, model.hop
    samples = {round(second * rate) for second in torch.linspace(0.5, 3, 400).tolist()}
    samples |= {frames * hop + more for frames in range(-(-rate // hop), 60) for more in (-1, 0, 1)}
    clips = [count / rate for count in samples] + [0.5, 1 / 3 + 1, 2.05, 2.0 + 0.4 / rate]
    wrong = []
    for seconds in clips:
        frames = model.latent_shape(seconds)[-1]
        count = round(seconds * rate)
        whole = model.length if hasattr(model, "length") else -(-count // hop)
        if frames != whole or (frames * hop < count):
            wrong.append(seconds)
    assert not wrong
    for seconds in (0.5, 0.51, 0.6371, 1 / 3 + 0.5, 17 * hop / rate, (17 * hop + 1) / rate):
        audio = torch.zeros(1, model.channels, round(seconds * rate))
        assert model.encode(audio).shape[1:] == model.latent_shape(seconds)


@pytest.mark.parametrize("name", MODELS)
def test_the_modes_of_the_caller_leave_no_trace(folders: dict[str, Path], name: str) -> None:
    state = torch.get_rng_state()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        model = loaded(folders, name)
        read = model.condition([PROMPT], SECONDS).tensors.values()
        made = generate(model, PROMPT, duration=SECONDS, steps=2).audio
    assert torch.equal(state, torch.get_rng_state())
    assert not any(tensor.is_inference() or tensor.dtype == torch.bfloat16 for tensor in read)
    assert torch.equal(made, generate(model, PROMPT, duration=SECONDS, steps=2).audio)
    optimize(model, PROMPT, Intensity([-40, -30]), duration=SECONDS, steps=2, iterations=1)


# --- loading -------------------------------------------------------------------------------------


def test_names() -> None:
    assert is_hub("stabilityai/stable-audio-open-1.0")
    assert not is_hub("ditto-small")
    assert not is_hub("./weights/mine")
    assert not is_hub("a/b/c")


def test_an_unknown_pipeline_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(InputError, match="is a FluxPipeline, which has no adapter here"):
        load_model(str(tmp_path))
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(InputError, match=r"has a damaged model_index\.json"):
        load_model(str(tmp_path))


def test_weights_that_are_not_safetensors_are_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folders["StableAudio3Pipeline"], copy)
    for file in copy.rglob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(InputError, match="has no safetensors, and nothing else is read"):
        load_model(str(copy))


def test_no_network_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="run hf download stabilityai/none online"):
        load_model("stabilityai/none")
