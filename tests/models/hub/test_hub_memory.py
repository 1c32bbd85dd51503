"""What public models keep in memory: text encoders let go, blocks, stretches, and the estimate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ditto_music import InputError, Match, load_model, optimize
from ditto_music.baselines import dps, plain
from ditto_music.memory import Estimate, Ledger, check, estimated, rehearsed
from ditto_music.models.hub.base import HubModel, audio_like
from ditto_music.models.hub.blocks import stretches
from ditto_music.models.hub.load import check_memory
from ditto_music.models.hub.mel import EVERYTHING
from ditto_music.models.hub.parts import Parts
from ditto_music.problem import Problem
from ditto_music.result import Settings
from ditto_music.sampling.plans import free_memory, left_in_container, memory_budget
from tests.models.hub.checkpoints import MODELS

SECONDS = 0.64
OOBLECK = ("StableAudioPipeline", "AceStepPipeline")
FINITE = (*OOBLECK, "StableAudio3Pipeline")  # decoders that look at some of the clip
ROOT = Path(__file__).parents[3]


def loaded(folders: dict[str, Path], name: str, **more: Any) -> Any:
    return load_model(str(folders[name]), **{"dtype": "float32"} | more)


def noise(model: Any, frames: int | None = None, batch: int = 1) -> Tensor:
    shape = model.latent_shape(SECONDS)
    shape = shape if frames is None else (*shape[:-1], frames)
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0))


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-9))


# --- text encoders -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_text_encoders_are_let_go_and_read_again(folders: dict[str, Path], name: str) -> None:
    model, kept = loaded(folders, name), loaded(folders, name, offload="none")
    x, t = noise(model), model.schedule.times(1)[0].float()
    first = model.condition(["calm piano"], SECONDS)
    before = model.weight_bytes()[0]
    with torch.no_grad():
        model.denoise(x, t, first)
    assert all(getattr(model.pipe, part) is None for part in model.READS)
    assert model.weight_bytes()[0] < before
    assert model.condition(["calm piano"], SECONDS) is first  # remembered: nothing is read
    assert getattr(model.pipe, model.READS[0]) is None
    other = model.condition(["loud drums"], SECONDS)
    theirs = kept.condition(["loud drums"], SECONDS)
    with torch.no_grad():
        kept.denoise(x, t, theirs)
    assert getattr(kept.pipe, kept.READS[0]) is not None
    for key, value in theirs.tensors.items():
        assert torch.equal(other.tensors[key], value)


def test_few_conditions_are_remembered(folders: dict[str, Path]) -> None:
    model = loaded(folders, "StableAudioPipeline")
    for number in range(20):
        model.condition([f"take {number}"], SECONDS)
    assert len(model._conditions) == 16


# --- moving parts --------------------------------------------------------------------------------


class Elsewhere(Parts):
    """As on a GPU, with notes in place of moves."""

    here: set[int]

    def move(self, module: torch.nn.Module, device: torch.device) -> None:
        """Where it would be."""
        (self.here.add if device.type == "cuda" else self.here.discard)(id(module))


class Emptying(Elsewhere):
    """With weights that are no numbers once they have left, also where a graph has them still."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.away: dict[int, Tensor] = {}

    def move(self, module: torch.nn.Module, device: torch.device) -> None:
        """In place."""
        here = id(module) in self.here
        for weight in module.parameters():
            if device.type == "cuda" and not here:
                weight.data.copy_(self.away.pop(id(weight), weight.data))
            elif device.type != "cuda" and here:
                self.away[id(weight)] = weight.data.clone()
                weight.data.fill_(torch.nan)
        super().move(module, device)


@pytest.mark.parametrize(("plan", "calls"), [("plain", 2), ("checkpoint", 3), ("blocks", 3)])
@pytest.mark.parametrize("name", MODELS)
def test_only_the_part_at_work_is_on_the_device(
    folders: dict[str, Path], name: str, plan: str, calls: int
) -> None:
    """And the gradient is what it is with all of them there, under any plan."""
    plain, model = loaded(folders, name), loaded(folders, name)
    Elsewhere.here = set()
    model.parts = Emptying(model.pipe, torch.device("cuda"), None, "all")
    assert not Elsewhere.here
    seen: list[set[str]] = []

    def spied(part: str, method: str) -> None:
        inner = getattr(model, method)

        def call(*arguments: Any) -> Any:
            names = set(model.parts.names())
            seen.append({n for n in names if id(getattr(model.pipe, n)) in Elsewhere.here})
            assert part in seen[-1]
            return inner(*arguments)

        setattr(model, method, call)

    spied(model.NETWORK, "denoised")
    spied(model.DECODERS[0], "decoded")
    gradients: list[Tensor] = []
    for each in (plain, model):
        problem = Problem(each, "calm", None, 0, Settings(SECONDS, 2, 2.0, gradient=plan))
        x = noise(each).requires_grad_()
        loss = problem.clip(problem.sample(x, [0], 2)).audio.square().sum()
        gradients.append(torch.autograd.grad(loss, x)[0])
    assert apart(gradients[1], gradients[0]) < 1e-5
    assert all(parts in ({model.NETWORK}, set(model.DECODERS)) for parts in seen)
    assert len(seen) == 2 * calls + 2  # two steps and a decode, which is made again on the way back
    assert not Elsewhere.here


@pytest.mark.parametrize("name", MODELS)
def test_blocks_are_spared_on_the_way_back_too_where_parts_move(
    folders: dict[str, Path], name: str
) -> None:
    """What moves is run again once more than what stays: by blocks wherever there is a graph."""
    model = loaded(folders, name)
    Elsewhere.here = set()
    model.parts = Elsewhere(model.pipe, torch.device("cuda"), None, "all")
    denoised, by_blocks, inside, seen = model.denoised, model.by_blocks, [0], list[bool]()

    @contextmanager
    def entered() -> Generator[None]:
        inside[0] += 1
        with by_blocks():
            yield
        inside[0] -= 1

    def call(*arguments: Any) -> Tensor:
        if torch.is_grad_enabled():
            seen.append(inside[0] == 1)
        return denoised(*arguments)

    model.by_blocks, model.denoised = entered, call
    problem = Problem(model, "calm", None, 0, Settings(SECONDS, 2, 2.0, gradient="blocks"))
    x = noise(model).requires_grad_()
    (slope,) = torch.autograd.grad(problem.sample(x, [0], 2).square().sum(), x)
    assert bool(slope.abs().max() > 0)
    assert seen == [True, True]


class Copying(Elsewhere):
    """With moves that put others in the place of the weights, as `torch.nn.Module.to` does."""

    def move(self, module: torch.nn.Module, device: torch.device) -> None:
        """A copy, where it is not there yet."""
        if (device.type == "cuda") != (id(module) in self.here):
            module._apply(torch.clone)
        super().move(module, device)


@pytest.mark.parametrize("offload", ["text", "all"])
@pytest.mark.parametrize("searches", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_an_estimate_leaves_the_weights_as_they_are(
    folders: dict[str, Path], name: str, searches: bool, offload: Any
) -> None:
    """And counts those that come for a task alone with the task."""
    plain, model = loaded(folders, name), loaded(folders, name)
    Elsewhere.here = set()
    model.parts = Copying(model.pipe, torch.device("cuda"), None, offload)
    before = {
        key: value.clone()
        for part in model.parts.names()
        for key, value in getattr(model.pipe, part).state_dict(prefix=f"{part}.").items()
    }
    estimates: list[Estimate] = []
    for each in (plain, model):
        problem = Problem(each, "calm", None, 0, Settings(SECONDS, 2, 2.0))
        problem.room.expect(estimates.append, searches=searches)
    ours, theirs = ((each.network, each.decoder - each.kept) for each in estimates)
    come = [model.parts.bytes_of(parts) for parts in ([model.NETWORK], model.DECODERS)]
    if offload == "all":
        theirs = tuple(each - weights for each, weights in zip(theirs, come, strict=True))
    assert ours == pytest.approx(theirs, rel=0.05)
    assert estimates[1].weights == (0 if offload == "all" else sum(come))
    for part in model.parts.names():
        for key, value in getattr(model.pipe, part).state_dict(prefix=f"{part}.").items():
            assert torch.equal(value, before[key])
    assert not any(id(getattr(model.pipe, part)) in Elsewhere.here for part in model.READS)
    if offload == "all":
        assert not Elsewhere.here


def test_offloading_from_the_processor_to_itself_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="take --offload text"):
        loaded(folders, "StableAudioPipeline", offload="all")
    with pytest.raises(InputError, match="offload 'disk' is unknown"):
        loaded(folders, "StableAudioPipeline", offload="disk")


# --- half precision ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_half_precision_halves_the_weights_and_keeps_the_gradient(
    folders: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On AMX torch 2.13 errs in strided convolutions as narrow as these (docs/models/hub.md).
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    full, half = loaded(folders, name), loaded(folders, name, dtype="bfloat16")
    assert half.weight_bytes()[1] < 0.6 * full.weight_bytes()[1]
    found: list[tuple[Tensor, Tensor]] = []
    for model in (full, half):
        problem = Problem(model, "calm", None, 0, Settings(SECONDS, 2, 1.0))
        x = noise(model).requires_grad_()
        latent = problem.sample(x, [0], 2)
        assert latent.dtype == torch.float32  # the sampler's own arithmetic is never halved
        loss = problem.clip(latent).audio.float().square().mean()
        found.append((latent.detach(), torch.autograd.grad(loss, x)[0]))
    cosine = torch.nn.functional.cosine_similarity
    for ours, theirs in zip(*found, strict=True):
        assert float(cosine(ours.flatten(), theirs.flatten(), dim=0)) > 0.95


def test_time_is_read_in_full_where_weights_are_halved(folders: dict[str, Path]) -> None:
    """0.9987 and 1 are one number in bfloat16; to the network they must be two."""
    model = loaded(folders, "StableAudioPipeline", dtype="bfloat16")
    network = model.pipe.transformer
    read: list[Tensor] = []
    network.time_proj.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    condition = model.condition(["calm"], SECONDS)
    with torch.no_grad():
        model.denoise(noise(model), torch.tensor(0.9987), condition)
    assert read[0].dtype == torch.float32
    assert float(read[0]) == pytest.approx(0.9987, abs=1e-7)
    assert network.proj_in.weight.dtype == torch.bfloat16


def test_positions_and_durations_are_read_in_full_where_weights_are_halved(
    folders: dict[str, Path],
) -> None:
    """Of Stable Audio 3; the embedder of durations is let go and read again."""
    full = loaded(folders, "StableAudio3Pipeline")
    half = loaded(folders, "StableAudio3Pipeline", dtype="bfloat16")
    network = half.pipe.transformer
    assert network.dtype == torch.bfloat16
    angles = network.rotary_pos_emb(1000, torch.device("cpu"))
    assert torch.equal(angles, full.pipe.transformer.rotary_pos_emb(1000, torch.device("cpu")))
    for prompt in ("calm", "loud"):
        for seconds in (0.64, 7.3, 7.4, 31.0, 63.9):
            ours, theirs = (m.condition([prompt], seconds).tensors["seconds"] for m in (half, full))
            assert ours.dtype == torch.bfloat16
            assert apart(ours.float(), theirs) < 0.01
        with torch.no_grad():
            half.denoise(noise(half), torch.tensor(0.5), half.condition([prompt], 0.64))
        assert half.pipe.duration_embedder is None


# --- blocks of the network -----------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_blocks_give_the_same_bits_for_less_memory(folders: dict[str, Path], name: str) -> None:
    """In eval mode, with frozen weights and a gradient at the input alone."""
    model = loaded(folders, name)
    found: list[Tensor] = []
    for plan in ("plain", "checkpoint", "blocks"):
        problem = Problem(model, "calm", None, 0, Settings(SECONDS, 2, 2.0, gradient=plan))
        x = noise(model).requires_grad_()
        found.append(torch.autograd.grad(problem.sample(x, [0], 2).square().sum(), x)[0])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    plain, blocks = (
        rehearsed(problem.room.called([0], sparing=sparing), noise(model))
        for sparing in (False, True)
    )
    assert blocks.kept < 0.6 * plain.kept
    assert blocks.peak < plain.peak
    assert not any(
        getattr(module, "gradient_checkpointing", False)
        for module in getattr(model.pipe, model.NETWORK).modules()
    )


@pytest.mark.parametrize("offload", ["text", "all"])
def test_auto_goes_by_blocks_where_no_step_fits(folders: dict[str, Path], offload: Any) -> None:
    """Where parts move a call keeps nothing, but takes all of a step when it is made again."""
    model = loaded(folders, "StableAudioPipeline")
    Elsewhere.here = set()
    if offload == "all":
        model.parts = Elsewhere(model.pipe, torch.device("cuda"), None, offload)
    plans: list[tuple[str, int]] = []
    problem = Problem(model, "calm", None, 0, Settings(SECONDS, 3))
    for budget in (1.0, 0.9e-9 * problem.room.bytes_a_call()):
        problem = Problem(model, "calm", None, 0, Settings(SECONDS, 3, memory_budget=budget))
        plans.append(problem.room.plan([0], 3, torch.float32))
    assert plans == [("auto", 3), ("blocks", 0)]


@pytest.mark.parametrize("name", MODELS)
def test_guided_methods_go_by_blocks_where_no_step_fits(
    folders: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward and back, with the same result."""
    model = loaded(folders, name)
    control = Match(torch.zeros(model.latent_shape(SECONDS)), torch.ones(noise(model).shape[-1]))
    sparing, times = model.sparing, list[int]()

    def counted() -> Any:
        times.append(1)
        return sparing()

    monkeypatch.setattr(model, "sparing", counted)
    found: list[Tensor] = []
    for budget, entered in ((1.0, 0), (0.0, 2)):
        result = dps(model, "calm", control, duration=SECONDS, steps=2, memory_budget=budget)
        found.append(result.items[0].latent)
        assert len(times) == entered
    assert torch.equal(*found)


# --- decoding in stretches of time ---------------------------------------------------------------


def test_stretches_cover_everything_once() -> None:
    for total, frames, reach in ((100, 30, 7), (31, 30, 40), (5, 1, 2)):
        kept = [
            index
            for whole, own in stretches(total, frames, reach)
            for index in range(whole.start + own.start, whole.start + own.stop)
        ]
        assert kept == list(range(total))


@pytest.mark.parametrize("name", FINITE)
def test_the_decoder_looks_no_further_than_its_reach(folders: dict[str, Path], name: str) -> None:
    """Found by the gradient of one frame's audio, on each side of it."""
    model = loaded(folders, name)
    for part in model.pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.double()
    reach, middle = model.decoder_reach, 60
    latent = noise(model, 121).double().requires_grad_()
    audio = model.decoded(latent)[..., model.hop * middle : model.hop * (middle + 1)]
    (slope,) = torch.autograd.grad(audio.square().sum(), latent)
    (seen,) = slope.abs().sum((0, 1)).nonzero(as_tuple=True)
    assert middle - reach <= int(seen.min()) < int(seen.max()) <= middle + reach
    assert int(seen.max()) - middle > reach / 2  # and it is not much too wide


@pytest.mark.parametrize("name", MODELS)
def test_decoding_in_stretches_is_exact(folders: dict[str, Path], name: str) -> None:
    """Sound and gradient; the loss looks across the borders, and is no sum over time."""
    model: HubModel = loaded(folders, name)
    found: list[tuple[Tensor, Tensor]] = []
    for seconds in (1e3, 0.3):
        model.stretch_seconds = seconds
        latent = noise(model, 90, batch=2).requires_grad_()
        audio = model.decode(latent)
        assert audio.shape[-1] == 90 * model.hop
        loss = torch.fft.rfft(audio).abs().log1p().sum() / audio.square().mean()
        found.append((audio.detach(), torch.autograd.grad(loss, latent)[0]))
    assert apart(found[1][0], found[0][0]) < 1e-5
    assert apart(found[1][1], found[0][1]) < 1e-3
    assert found[0][1].abs().max() > 0


# --- encoding in stretches of time ---------------------------------------------------------------


@pytest.mark.parametrize("name", [*FINITE, "44100", "48000"])
def test_the_encoder_looks_no_further_than_its_reach(folders: dict[str, Path], name: str) -> None:
    """Found by the gradient of one frame, on each side of it."""
    model = loaded(folders, name)
    model.pipe.vae.double()
    model.latents, encode = (lambda audio: encode(audio).double()), model.latents
    hop, reach, middle = model.hop, model.encoder_reach, 25
    generator = torch.Generator().manual_seed(0)
    audio = torch.randn(1, 2, 51 * hop, generator=generator).double().requires_grad_()
    frame = model.latents(audio)[..., middle]
    (slope,) = torch.autograd.grad(frame.square().sum(), audio)
    (seen,) = slope.abs().sum((0, 1)).nonzero(as_tuple=True)
    assert (middle - reach) * hop <= int(seen.min())
    assert int(seen.max()) < (middle + 1 + reach) * hop
    assert int(seen.max()) - (middle + 1) * hop > reach * hop / 2  # and it is not much too wide


@pytest.mark.parametrize("seconds", [0.6, 2.3, 5.0])
@pytest.mark.parametrize("name", [*MODELS, "44100", "44100, third", "48000"])
def test_encoding_in_stretches_is_exact(
    folders: dict[str, Path], name: str, seconds: float
) -> None:
    """Of Stable Audio Open, with one frame of silence in the place of many."""
    model = loaded(folders, name)
    model.stretch_seconds = 0.3
    length = round(seconds * model.sample_rate)
    audio = 0.1 * torch.randn(2, 2, length, generator=torch.Generator().manual_seed(0))
    ours = model.encode(audio)
    whole = audio_like(audio, model.channels, model.hop * getattr(model, "length", 1))
    with torch.no_grad():
        theirs = model.latents(whole)
    assert ours.shape == theirs.shape
    assert apart(ours, theirs) < 1e-5


@pytest.mark.parametrize("name", FINITE)
def test_memory_of_encoding_does_not_grow_with_the_recording(
    folders: dict[str, Path], name: str
) -> None:
    model = loaded(folders, name)
    model.stretch_seconds = 0.5

    def beyond_the_audio(encode: Callable[[Tensor], Tensor], seconds: int) -> int:
        audio = torch.zeros(1, 2, seconds * model.sample_rate)
        return rehearsed(encode, audio, gradients=False).peak - 2 * audio.nbytes

    short, long = (beyond_the_audio(model.encode, seconds) for seconds in (2, 9))
    assert long < 1.2 * short
    assert long < 0.4 * beyond_the_audio(model.latents, 9)


# --- what is not cut -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["AudioLDM2Pipeline", "MusicLDMPipeline"])
def test_autoencoders_that_look_at_the_whole_clip_get_it(
    folders: dict[str, Path], name: str
) -> None:
    """Cut in two they give something else: only their vocoder may go by stretches."""
    model = loaded(folders, name)
    assert model.decoder_reach == EVERYTHING
    latent = noise(model, 80)
    with torch.no_grad():
        whole, half = model.decode(latent), model.decode(latent[..., :40])
    middle = slice(0, 20 * model.hop)
    assert apart(half[..., middle], whole[..., middle]) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_memory_of_a_decode_does_not_grow_with_the_clip(
    folders: dict[str, Path], name: str
) -> None:
    """What is kept is the audio and one stretch; of the mel models the autoencoder's part grows."""
    model = loaded(folders, name)
    model.stretch_seconds = 0.5

    def beyond_the_audio(frames: int) -> int:
        x = noise(model, frames)
        return rehearsed(model.decode, x).peak - 3 * model.decode(x).nbytes

    short, long = (beyond_the_audio(frames) for frames in (200, 800))
    assert long < (1.5 if name in FINITE else 4.1) * short


# --- the estimate --------------------------------------------------------------------------------


def test_the_ledger_counts_what_is_alive() -> None:
    ledger = Ledger()
    with ledger:
        a = torch.zeros(1000)
        b = a + 1
        view = b[:10]
        del a
        assert ledger.now == 4000
        b = view.clone()
        del view
    assert ledger.now == 40
    assert ledger.peak == 8000


def measured(
    folder: Path, plan: str, items: int, seconds: float, guidance: float = 1.0
) -> tuple[int, int]:
    """Bytes beyond the weights: foretold, and taken by a process of its own."""
    environment = {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        # What is freed goes back at once, as it does on a GPU by the count of what is allocated.
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "65536",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.hub.measure", str(folder), plan, str(items),
         str(seconds), str(guidance)],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    foretold = dict(said["foretold"])
    del foretold["peak"]
    return Estimate(**foretold).working, said["measured"]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_the_estimate_is_what_a_process_takes(folders: dict[str, Path]) -> None:
    foretold, taken = measured(folders["StableAudioPipeline"], "plain", 48, 4.0)
    assert taken > 1e8  # or it would be noise
    assert foretold == pytest.approx(taken, rel=0.25)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
@pytest.mark.parametrize(
    ("plan", "guidance"),
    [("plain", 1.0), ("checkpoint", 1.0), ("blocks", 1.0), ("checkpoint", 3.0)],
)
@pytest.mark.parametrize("name", MODELS)
def test_the_estimate_holds_for_every_family_and_plan(
    folders: dict[str, Path], name: str, plan: str, guidance: float
) -> None:
    seconds = 4.0 if name == "StableAudioPipeline" else 12.0
    foretold, taken = measured(folders[name], plan, 64, seconds, guidance)
    assert taken > 5e7
    assert foretold == pytest.approx(taken, rel=0.25)


@pytest.mark.parametrize(
    ("sampler", "plan", "single"),
    [
        ("heun", "plain", "plain"),
        ("edict", "plain", "plain"),
        ("edict", "reversible", "checkpoint"),
    ],
)
def test_the_estimate_counts_every_call_of_a_step(
    folders: dict[str, Path], sampler: str, plan: str, single: str
) -> None:
    """Of a sampler of two calls a step, against one of a single call."""
    model = loaded(folders, "AudioLDM2Pipeline")  # whose schedule edict can undo

    def foretold_and_taken(sampler: str, plan: str) -> tuple[int, int]:
        settings = Settings(SECONDS, 4, 1.0, sampler=sampler, gradient=plan)
        problem = Problem(model, "calm", None, 0, settings)
        foretold = estimated(problem, 4)
        x_T, ledger = problem.noise().requires_grad_(), Ledger()
        with ledger:
            latent = problem.sample(x_T, [0], 4)
            torch.autograd.grad(latent, x_T, torch.ones_like(latent))
        return foretold.network + foretold.kept, ledger.peak

    two, one = foretold_and_taken(sampler, plan), foretold_and_taken("adams", single)
    assert two[0] / one[0] == pytest.approx(two[1] / one[1], rel=0.2)
    assert two[1] / one[1] > 1.5


def test_it_is_told_and_reported(folders: dict[str, Path]) -> None:
    class Told:
        estimate: Estimate | None = None

        def expect(self, estimate: Estimate) -> None:
            self.estimate = estimate

        def __call__(self, progress: object) -> None:
            assert self.estimate is not None  # before the first iteration

    model, told = loaded(folders, "StableAudio3Pipeline"), Told()
    shape = model.latent_shape(2.0)
    match = Match(torch.zeros(shape), torch.ones(shape[-1]))
    result = optimize(model, "calm", match, duration=2.0, steps=2, iterations=1, callback=told)
    report = result.report()
    assert told.estimate is not None
    assert report["estimated_memory_bytes"]["peak"] == told.estimate.peak > 0
    assert "weights" in str(told.estimate) and "MB" in str(told.estimate)
    searched = told.estimate
    alone = plain(model, "calm", match, duration=2.0, steps=2, callback=told)
    assert alone.estimate == told.estimate
    assert told.estimate.working < searched.working  # nothing is kept for a way back
    small = optimize(load_model("debug"), "calm", Match(torch.zeros(8, 24), torch.ones(24)),
                     duration=0.5, steps=2, iterations=1)  # fmt: skip
    assert small.report()["estimated_memory_bytes"] is None


@pytest.mark.parametrize(
    ("network", "decoder", "words"),
    [
        (10**13, 1, ["--gradient blocks", "--dtype bfloat16"]),
        (1, 10**13, ["--duration below 30"]),
    ],
)
def test_too_little_memory_is_one_line_that_mends_it(
    network: int, decoder: int, words: list[str]
) -> None:
    estimate = Estimate(0, 0, network, 0, decoder)
    with pytest.raises(InputError) as error:
        check(estimate, torch.device("cpu"), 30.0)
    for word in (*words, "this needs 10000.0 GB beyond the weights that are there and cpu has"):
        assert word in str(error.value)


def test_weights_that_are_still_to_come_are_given_room(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card with room for what a step takes, but not for the network beside it."""
    model = loaded(folders, "StableAudioPipeline")
    Elsewhere.here = set()
    told: list[Estimate] = []
    problem = Problem(model, "calm", None, 0, Settings(SECONDS, 2, gradient="blocks"))
    problem.room.expect(told.append)
    monkeypatch.setattr("ditto_music.memory.free_memory", lambda device: told[0].working / 0.94)
    problem.room.expect(told.append)
    model.parts = Copying(model.pipe, torch.device("cuda"), None, "all")
    with pytest.raises(InputError, match="beyond the weights that are there and"):
        problem.room.expect(told.append)
    assert told[2].network >= model.parts.bytes_of([model.NETWORK])


def test_what_a_gpus_allocator_holds_unused_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card of 10 GB, all but one of it reserved, of which 3 are in use."""
    figures = {"memory_reserved": 9 * 10**9, "memory_allocated": 3 * 10**9}
    for name, count in figures.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, count=count: count)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**10))
    card = torch.device("cuda")
    assert free_memory(card) == 7 * 10**9
    assert memory_budget(card, None) == 35 * 10**8
    check(Estimate(0, 0, 6 * 10**9, 0, 0), card, 30.0)
    check_memory("one", 6 * 10**9, card, torch.bfloat16)
    with pytest.raises(InputError, match=r"this needs 8\.0 GB .* cuda has 7\.0 GB free"):
        check(Estimate(0, 0, 8 * 10**9, 0, 0), card, 30.0)
    with pytest.raises(InputError, match=r"needs 8\.8 GB .* cuda has 7\.0 GB free"):
        check_memory("one", 8 * 10**9, card, torch.bfloat16)


@pytest.mark.parametrize(
    ("folder", "limit", "usage", "prefix"),
    [
        (".", "memory.max", "memory.current", ""),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ],
)
def test_no_more_is_free_than_a_container_may_take(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    limit: str,
    usage: str,
    prefix: str,
) -> None:
    """Of 8 GB 7 are in use, 3 of them by what is held of files."""
    home = tmp_path / folder
    home.mkdir(exist_ok=True)
    assert left_in_container(tmp_path) is None
    (home / limit).write_text("8000000000\n")
    (home / usage).write_text("7000000000\n")
    files = f"{prefix}active_file 1000000000\n{prefix}inactive_file 2000000000\n"
    (home / "memory.stat").write_text(f"anon 4000000000\n{files}")
    assert left_in_container(tmp_path) == 4 * 10**9
    monkeypatch.setattr("ditto_music.sampling.plans.left_in_container", lambda: 1000)
    assert free_memory(torch.device("cpu")) == 1000
    (home / limit).write_text("max\n")
    assert left_in_container(tmp_path) is None


def test_too_much_is_refused_before_any_work(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(folders, "StableAudioPipeline")
    monkeypatch.setattr("ditto_music.memory.free_memory", lambda device: 1000)
    shape = model.latent_shape(1.0)
    match = Match(torch.zeros(shape), torch.ones(shape[-1]))

    def never(progress: object) -> None:
        raise AssertionError

    for method in (optimize, plain):
        with pytest.raises(InputError, match=r"this needs .* free: take "):
            method(model, "calm", match, callback=never)
