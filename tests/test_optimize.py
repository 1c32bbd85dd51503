"""The optimiser: it meets targets, keeps the best, and leaves everything else alone."""

import json
import math
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditto_music import Control, InputError, Intensity, Progress, generate, optimize
from ditto_music.baselines import METHODS
from ditto_music.controls.base import Term
from ditto_music.descent import DESCENTS, Normalised
from ditto_music.goal import Goal
from ditto_music.models.small import SmallModel
from ditto_music.problem import Problem
from ditto_music.protocols import Clip, Form
from ditto_music.result import Settings
from ditto_music.sampling import Condition
from ditto_music.track import Track, stages

FAST = {"duration": 0.7, "steps": 3, "surrogate_steps": 3}


class Energy(Control):
    """Mean square of the latent, against a number: smooth, so descent is easy to foresee."""

    name = "energy"

    def __init__(self, wanted: float) -> None:
        self.wanted = wanted

    def target(self, form: Form) -> Tensor:
        return torch.tensor(self.wanted)

    def feature(self, clip: Clip) -> Tensor:
        return clip.latent.square().mean((1, 2))

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return (feature - target).square()


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_loss_falls_to_the_target(model: SmallModel, optimizer: str) -> None:
    result = optimize(
        model, "calm", Energy(2.0), optimizer=optimizer, iterations=60, tolerance=1e-3, **FAST
    )
    item = result.items[0]
    assert item.stopped == "tolerance"
    assert item.history[0]["loss"] > 0.05
    assert item.final["loss"] <= 1e-3


def test_few_steps_are_left_where_the_control_counts_as_met_whatever_is_asked(
    model: SmallModel,
) -> None:
    """What is nearer than that on few steps is not so on all; a laxer tolerance is heeded."""

    class Lax(Energy):
        tolerance = 0.3

    def few_of(control: Energy, tolerance: float | None) -> list[float]:
        quick = {"duration": 0.7, "steps": 5, "surrogate_steps": 3, "iterations": 24}
        made = optimize(model, "calm", control, tolerance=tolerance, **quick)
        return [row["loss"] for row in made.items[0].history if row["steps"] == 3]

    usual = few_of(Lax(2.0), None)
    assert usual[-1] <= Lax.tolerance < usual[-2]
    assert few_of(Lax(2.0), 0.0) == usual
    laxer = few_of(Lax(2.0), 2 * Lax.tolerance)
    assert laxer == usual[: len(laxer)]
    assert len(laxer) < len(usual)


def test_intensity_moves_towards_the_curve(model: SmallModel) -> None:
    plain = generate(model, "calm", Intensity([-40, -40]), duration=0.7, steps=3)
    wanted = plain.items[0].panels[0].achieved - 0.5
    times = plain.items[0].panels[0].times
    control = Intensity(torch.stack([times, wanted], dim=1).tolist())
    result = optimize(model, "calm", control, iterations=25, tolerance=0.02, **FAST)
    losses = [row["loss"] for row in result.items[0].history]
    assert min(losses) < 0.5 * losses[0]


def test_first_iteration_is_the_uncontrolled_sample(model: SmallModel) -> None:
    control = Intensity([-30, -20])
    plain = generate(model, "calm", control, seed=5, duration=0.7, steps=3)
    result = optimize(model, "calm", control, seed=5, iterations=1, **FAST)
    assert result.items[0].history[0]["loss"] == pytest.approx(plain.items[0].final["loss"])
    assert torch.equal(result.x_T, plain.x_T)


def test_same_seed_same_bits(model: SmallModel) -> None:
    runs = [optimize(model, "calm", Intensity([-30, -20]), iterations=4, **FAST) for _ in range(2)]
    assert torch.equal(runs[0].audio, runs[1].audio)
    assert torch.equal(runs[0].x_T, runs[1].x_T)


@pytest.mark.usefixtures("double_noise")
def test_batch_of_four_equals_four_singles(double_model: SmallModel) -> None:
    prompts = ["calm", "techno", "", "slow jazz"]
    controls = [Energy(w) for w in (1.0, 2.0, 3.0, 4.0)]
    settings = dict(iterations=8, tolerance=0.02, **FAST)
    batch = optimize(double_model, prompts, controls, seed=[1, 2, 3, 4], **settings)
    lengths = set()
    for i, one in enumerate(batch):
        alone = optimize(double_model, prompts[i], controls[i], seed=i + 1, **settings)
        assert torch.allclose(one.audio, alone.audio, atol=1e-8)
        assert len(one.items[0].history) == len(alone.items[0].history)
        assert one.items[0].stopped == alone.items[0].stopped
        lengths.add(len(one.items[0].history))
    assert len(lengths) > 1, "the items should have stopped at different times"


def test_weights_are_never_touched(model: SmallModel) -> None:
    before = {k: v.clone() for k, v in model.denoiser.state_dict().items()}
    before |= {k: v.clone() for k, v in model.codec.state_dict().items()}
    optimize(model, "calm", Intensity([-30, -20]), iterations=3, **FAST)
    after = model.denoiser.state_dict() | model.codec.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())
    parameters = [*model.denoiser.parameters(), *model.codec.parameters()]
    assert all(p.grad is None and not p.requires_grad for p in parameters)


def test_seeds_are_whole_numbers_of_any_type(model: SmallModel) -> None:
    usual = generate(model, "calm", seed=[1, 2], duration=0.7, steps=2)
    for seed in (np.arange(1, 3), torch.tensor([1, 2]), range(1, 3)):
        given: Any = seed
        made = generate(model, "calm", seed=given, duration=0.7, steps=2)
        assert torch.equal(made.audio, usual.audio)
        assert [type(item.seed) for item in made.items] == [int, int]
    one: Any = np.int64(2)
    made = generate(model, "calm", seed=one, duration=0.7, steps=2)
    assert torch.equal(made.x_T[0], usual.x_T[1]) and type(made.items[0].seed) is int


def test_the_best_iterate_is_kept(model: SmallModel) -> None:
    """A huge learning rate makes things worse; what comes back is still the best there was."""
    result = optimize(model, "calm", Energy(1.0), optimizer="adam", iterations=6, lr=20.0, **FAST)
    item = result.items[0]
    losses = [row["loss"] for row in item.history]
    assert losses[-1] > min(losses)
    assert item.final["loss"] == pytest.approx(min(losses), rel=1e-4)


def test_time_limit_stops(model: SmallModel) -> None:
    result = optimize(model, "calm", Energy(9.0), iterations=10_000, time_limit=0.2, **FAST)
    assert result.items[0].stopped == "time"
    assert result.seconds < 5


@pytest.mark.parametrize("limit", [3.0, 4.0, 5.5, 7.0])
def test_iterations_on_all_steps_are_within_the_limit_too(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    """By a clock of 20 ms a call they take five times what the first ones do."""
    calls, denoise = [0], model.denoise

    def counted(*args: Any) -> Tensor:
        calls[0] += 1
        return denoise(*args)

    monkeypatch.setattr(model, "denoise", counted)
    monkeypatch.setattr(time, "monotonic", lambda: 0.02 * calls[0])
    more = {"duration": 0.7, "steps": 20, "surrogate_steps": 8, "gradient": "plain"}
    result = optimize(
        model, "calm", Energy(9.0), iterations=10_000, time_limit=limit, tolerance=0.0, **more
    )
    assert {row["steps"] for row in result.items[0].history} == {4, 8, 20}
    assert limit - 0.4 <= result.seconds <= limit + 1e-6


@pytest.mark.parametrize("how", ["returns True", "Ctrl-C"])
def test_interrupt_keeps_the_best(model: SmallModel, how: str) -> None:
    def callback(progress: Progress) -> bool:
        if progress.iteration == 3 and how == "Ctrl-C":
            raise KeyboardInterrupt
        return progress.iteration == 3

    result = optimize(model, "calm", Energy(9.0), iterations=50, callback=callback, **FAST)
    assert result.items[0].stopped == "interrupted"
    assert len(result.items[0].history) == 3


def test_after_the_time_no_stage_begins(model: SmallModel) -> None:
    result = optimize(
        model, "calm", Energy(50.0), duration=0.7, steps=12, surrogate_steps=8, time_limit=1e-9
    )
    item = result.items[0]
    assert [row["steps"] for row in item.history] == [4] and item.stopped == "time"
    assert result.report()["loss"]["best"] is None and result.report()["loss"]["initial_steps"] == 4


def test_a_problem_on_fewer_steps_is_another(model: SmallModel) -> None:
    """Of the same noises, of which it takes the first, and which may be given."""
    settings = Settings(duration=0.7, steps=4, sampler="ping-pong")
    given = torch.randn(1, 3, *model.latent_shape(0.7), generator=torch.Generator().manual_seed(0))
    for x_T in (None, given):
        problem = Problem(model, "calm", None, 0, settings, x_T)
        few = problem.on(2)
        assert (problem.settings.steps, few.settings.steps, len(few.seeds)) == (4, 2, 1)
        with torch.no_grad():
            one = problem.sample(problem.start.first, [0], 2)
            two = few.sample(few.start.all, [0], 2)
        assert torch.equal(one, two)
    assert problem.start.changed(problem.start.first) is not None
    assert torch.equal(problem.start.later[:, :2], given[:, 1:])
    own = Problem(model, "calm", None, 0, settings).start
    assert own.changed(own.first) is None and torch.equal(
        own.later[:, 2:], problem.start.later[:, 2:]
    )


def test_what_meets_the_wish_is_kept_even_where_another_sum_is_lower() -> None:
    (stage,) = stages(Settings(steps=3, iterations=9))
    track = Track(torch.zeros(2), DESCENTS["adam"](None), Goal([], tolerance=1.0), [stage])
    track.see({"loss": 1.6}, 2.6, torch.zeros(2))
    track.move(2.6, torch.ones(2))
    track.see({"loss": 0.9}, 2.8, torch.zeros(2))
    assert track.stopped == "tolerance" and torch.equal(track.best, track.noise)


def test_a_stage_begins_without_the_graph_of_the_one_before(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips: list[weakref.ref[Clip]] = []
    alive: list[int] = []
    sample, clip = Problem.sample, Problem.clip

    def watched(problem: Problem, *rest: Any) -> Tensor:
        alive.append(sum(clip() is not None for clip in clips))
        return sample(problem, *rest)

    def noted(problem: Problem, latent: Tensor) -> Clip:
        made = clip(problem, latent)
        clips.append(weakref.ref(made))
        return made

    monkeypatch.setattr(Problem, "sample", watched)
    monkeypatch.setattr(Problem, "clip", noted)
    optimize(
        model, "calm", Energy(50.0), duration=0.7, steps=4, surrogate_steps=2, iterations=6,
        callback=lambda progress: None,
    )  # fmt: skip
    assert len(clips) >= 6 and alive == [0] * len(alive)


@pytest.mark.usefixtures("double_noise")
def test_an_items_stages_are_its_own(double_model: SmallModel) -> None:
    """Two controls are searched in two stages; a neighbour with one is not begun again."""
    one, two = Energy(50.0), Energy(60.0) + Energy(50.0)
    asked = {"duration": 0.7, "steps": 2, "surrogate_steps": 2, "iterations": 9}
    moved: list[list[int]] = []

    def callback(progress: Progress) -> None:
        moved.append(progress.items)

    both = optimize(double_model, "calm", [one, two], seed=[1, 2], callback=callback, **asked)
    assert moved == 9 * [[0, 1]]  # sampled together all the way
    alone = optimize(double_model, "calm", one, seed=1, **asked)
    losses = [[row["loss"] for row in each.items[0].history] for each in (both, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9) and len(losses[0]) == 9


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((2, 8, 32), "x_T has 2 items for 3"),
        ((3, 8, 31), "x_T is of shape"),
        ((8, 32), "x_T is of shape"),
    ],
)
def test_noise_that_does_not_fit_is_refused(
    model: SmallModel, shape: tuple[int, ...], told: str
) -> None:
    shape = (*shape[:-2], *model.latent_shape(0.7)) if shape[-1] == 32 else shape
    with pytest.raises(InputError, match=told):
        optimize(
            model, ["calm", "jazz", "techno"], Energy(1.0), x_T=torch.zeros(shape), duration=0.7
        )


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.int64, "numpy"])
def test_noise_of_any_type_is_taken_as_float32(model: SmallModel, kind: Any) -> None:
    whole = torch.randn(1, *model.latent_shape(0.7)).mul(4).round()
    given: Any = whole.double().numpy() if kind == "numpy" else whole.to(kind)
    made = generate(model, "calm", x_T=given, duration=0.7, steps=2)
    assert made.x_T.dtype == made.audio.dtype == torch.float32
    assert torch.equal(made.x_T, whole)


def test_noise_that_is_not_finite_is_refused(model: SmallModel) -> None:
    given = torch.full((1, *model.latent_shape(0.7)), math.nan)
    with pytest.raises(InputError, match="not finite"):
        generate(model, "calm", x_T=given, duration=0.7, steps=2)


def test_the_target_of_a_control_for_all_items_is_made_once(model: SmallModel) -> None:
    made: list[Form] = []

    class Counted(Energy):
        def target(self, form: Form) -> Tensor:
            made.append(form)
            return super().target(form)

    result = generate(model, ["calm", "jazz", "rock"], Counted(1.0), duration=0.7, steps=2)
    assert len(made) == 1 and all("energy" in item.final for item in result.items)
    with pytest.raises(InputError, match="2 controls for 3 items: give one for all or one an item"):
        generate(model, ["calm", "jazz", "rock"], [Counted(1.0), Counted(2.0)], duration=0.7)


def test_at_the_end_a_clip_is_looked_at_to_measure_and_to_draw_it_and_no_more(
    model: SmallModel,
) -> None:
    looks: list[Clip] = []

    class Told(Energy):
        def feature(self, clip: Clip) -> Tensor:
            looks.append(clip)
            return super().feature(clip)

        def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
            return {"twice": 2 * feature, "half": feature / 2}

    made = generate(model, "calm", Told(1.0) + Energy(2.0), duration=0.7, steps=2).items[0]
    assert len(looks) == 2
    energy = float(made.latent.square().mean())
    told = {"twice": pytest.approx(2 * energy), "half": pytest.approx(energy / 2)}
    assert made.metrics == {"energy-1": told, "energy-2": {}}


def test_one_noise_serves_all_prompts(model: SmallModel) -> None:
    start = torch.randn(1, *model.latent_shape(0.7), generator=torch.Generator().manual_seed(0))
    made = generate(model, ["calm", "jazz"], x_T=start, duration=0.7, steps=2)
    assert torch.equal(made.x_T[0], start[0]) and torch.equal(made.x_T[1], start[0])
    assert not torch.equal(made.audio[0], made.audio[1])


def test_what_a_step_keeps_is_that_of_a_guided_item(model: SmallModel) -> None:
    def kept(prompts: list[str]) -> int:
        return Problem(model, prompts, None, 0, Settings(0.7, 4, 3.0)).room.bytes_a_step()

    assert kept(["", "calm"]) == kept(["calm"]) > kept([""])


def test_interrupt_before_anything_is_passed_on(model: SmallModel) -> None:
    class Stopping(Energy):
        def loss(self, feature: Tensor, target: Tensor) -> Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize(model, "calm", Stopping(1.0), iterations=5, **FAST)


def test_callback_sees_each_iteration(model: SmallModel) -> None:
    seen: list[Progress] = []
    optimize(model, ["calm", "jazz"], Energy(9.0), iterations=2, callback=seen.append, **FAST)
    assert [p.iteration for p in seen] == [1, 2]
    assert seen[0].items == [0, 1]
    assert set(seen[0].rows[0]) == {"loss", "energy", "steps"}
    assert seen[0].clip.audio.shape[:2] == (2, 1)


def test_not_a_number_later_keeps_the_best(model: SmallModel) -> None:
    class Breaking(Energy):
        calls = 0

        def loss(self, feature: Tensor, target: Tensor) -> Tensor:
            self.calls += 1
            return super().loss(feature, target) * (math.nan if self.calls == 3 else 1.0)

    result = optimize(model, "calm", Breaking(9.0), iterations=10, **FAST)
    assert result.items[0].stopped == "diverged"
    assert len(result.items[0].history) == 3
    assert torch.isfinite(result.audio).all()


def test_not_a_number_from_the_start_is_an_error(model: SmallModel) -> None:
    class Broken(Energy):
        def loss(self, feature: Tensor, target: Tensor) -> Tensor:
            return super().loss(feature, target) * math.nan

    calls: list[Progress] = []
    with pytest.raises(FloatingPointError, match="not a finite number"):
        controls = [Energy(9.0), Broken(1.0)]
        optimize(model, "calm", controls, iterations=3, callback=calls.append, **FAST)
    assert calls == []  # the other item's search is not thrown away at its end


def test_audio_that_is_no_number_is_an_error(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "decode", lambda latent: SmallModel.decode(model, latent) * math.nan)
    with pytest.raises(FloatingPointError, match="audio is not of finite numbers"):
        generate(model, "calm", duration=0.7, steps=2)


def test_sums_weigh_and_report_each_part(model: SmallModel) -> None:
    control = Energy(3.0) + 0.5 * Intensity([-30, -20]) + Energy(1.0)
    result = generate(model, "calm", control, duration=0.7, steps=3)
    final, metrics = result.items[0].final, result.items[0].metrics
    figures = {f"intensity.{name}": value for name, value in metrics["intensity"].items()}
    assert set(final) == {"loss", "energy-1", "energy-2", "intensity", *figures}
    assert {name: final[name] for name in figures} == pytest.approx(figures)
    energy, intensity = 1.0, Intensity([-30, -20]).tolerance
    total = (
        final["energy-1"] / energy
        + 0.5 * final["intensity"] / intensity
        + final["energy-2"] / energy
    )
    assert final["loss"] == pytest.approx(total, rel=1e-5)


def test_a_control_of_weight_0_is_told_and_not_asked_for(model: SmallModel) -> None:
    class Lax(Energy):
        tolerance = 9.0

    silence = Intensity([-60, -60])
    (item,) = optimize(model, "calm", Lax(1.0) + 0 * silence, iterations=9, **FAST).items
    assert item.stopped == "tolerance" and len(item.history) < 9
    assert item.final["intensity"] > silence.tolerance
    assert item.metrics["intensity"]["rms_error_db"] > 1 and item.panels[0].name == "intensity"


def test_a_control_of_weight_0_says_nothing_of_the_level(model: SmallModel) -> None:
    settings = Settings(duration=0.7, steps=3)
    level = Intensity([-20, -20])

    def over(control: Term) -> bool:
        problem = Problem(model, "calm", control, 0, settings)
        clip = problem.clip(problem.sample(problem.noise(), [0], 3))
        return "over" in problem.measure(clip, [0], ceiling=-90.0)[1][0]

    assert over(Energy(1.0) + 0 * level) and not over(Energy(1.0) + 0.1 * level)


def test_far_off_each_control_counts_by_its_share_of_the_start(model: SmallModel) -> None:
    control = Energy(3.0) + 0.5 * Intensity([-30, -20])
    problem = Problem(model, "calm", control, 0, Settings(duration=0.7, steps=3))
    first, then = (problem.clip(problem.sample(f * problem.noise(), [0], 3)) for f in (1.0, 0.5))
    losses, (start,) = problem.measure(first, [0], [{}])
    assert float(losses) == pytest.approx(1 + 0.5)
    losses, (row,) = problem.measure(then, [0], [start])
    shares = [
        row[name] / max(start[name], unit) for name, unit in (("energy", 1.0), ("intensity", 0.8))
    ]
    assert float(losses) == pytest.approx(shares[0] + 0.5 * shares[1], rel=1e-5)
    losses, (near,) = problem.measure(then, [0])
    assert float(losses) == pytest.approx(near["loss"], rel=1e-5)
    assert near == row  # what is reported does not depend on the units of the search
    met = {"energy": 1e-9, "intensity": 1e-9}  # at the start already: in units of what is met
    losses, _ = problem.measure(then, [0], [met])
    assert float(losses) == pytest.approx(near["loss"], rel=1e-5)


def test_a_descent_is_told_where_the_units_of_its_sum_change(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On all steps, of several controls; one alone is its own loss throughout."""

    class Told(Normalised):
        def __init__(self) -> None:
            super().__init__()
            self.restarts: list[bool] = []
            made.append(self)

        def restart(self, *, other: bool = False) -> None:
            self.restarts.append(other)

    made: list[Told] = []
    monkeypatch.setitem(DESCENTS, "told", lambda lr: Told())
    controls = [Energy(50.0), Energy(60.0) + Energy(50.0)]
    stages = {"duration": 0.7, "steps": 8, "surrogate_steps": 6, "iterations": 6}
    optimize(model, "calm", controls, optimizer="told", **stages)
    assert [told.restarts[-2:] for told in made] == [[False, False], [False, True]]


def test_two_controls_are_met_on_the_same_steps_throughout(model: SmallModel) -> None:
    plain = generate(model, "calm", Intensity([-40, -40]), duration=0.7, steps=3)
    level = float(plain.items[0].panels[0].achieved.mean())
    control = Energy(2.0) + Intensity([level - 3, level - 3])
    result = optimize(model, "calm", control, iterations=30, **FAST)
    history = result.items[0].history
    assert len({row["steps"] for row in history}) == 1
    for name in ("energy", "intensity"):
        assert result.items[0].final[name] < 0.5 * history[0][name]


def test_duration_is_exact_and_level_untouched(model: SmallModel, tmp_path: Path) -> None:
    import soundfile

    result = generate(model, "calm", duration=1.2345, steps=2)
    assert result.audio.shape == (1, 1, round(1.2345 * 24_000))
    loud = generate(model, "calm", duration=1, steps=2)
    loud.items[0].audio.mul_(0.01 / loud.audio.abs().max())
    loud.save(tmp_path / "quiet.wav")
    samples, rate = soundfile.read(tmp_path / "quiet.wav")
    assert rate == 24_000
    assert abs(samples).max() == pytest.approx(0.01, rel=1e-3)


def test_report_has_the_stable_names(model: SmallModel, tmp_path: Path) -> None:
    result = optimize(model, "calm", Intensity([-30, -20]), seed=7, iterations=2, **FAST)
    result.save_report(tmp_path / "r.json", command="control", out="x.wav")
    report = json.loads((tmp_path / "r.json").read_text())
    names = (
        "version command model method prompt seed duration sample_rate steps iterations stopped "
        "loss controls seconds peak_memory_bytes out"
    )
    assert set(names.split()) <= set(report)
    assert report["seed"] == 7
    assert report["command"] == "control"
    assert set(report["loss"]) == {"initial", "initial_steps", "final", "best", "history"}
    assert len(report["loss"]["history"]) == report["iterations"] == 2
    assert set(report["controls"]["intensity"]) >= {"loss", "rms_error_db", "correlation"}


def test_the_best_loss_of_a_report_is_of_a_clip(model: SmallModel) -> None:
    """The rows of a walk are of clean estimates on the way, which nobody hears."""
    asked = {"control": Energy(2.0), "duration": 0.7, "steps": 3}
    searched = optimize(model, "calm", surrogate_steps=3, iterations=4, **asked).report()["loss"]
    assert searched["best"] == min(searched["history"])
    walked = METHODS["dps"](model, "calm", **asked).report()["loss"]
    assert len(walked["history"]) > 1
    assert walked["best"] is None and walked["final"] is not None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"duration": -1}, "duration"),
        ({"duration": math.nan}, "duration"),
        ({"duration": 1e9}, "makes clips of"),
        ({"duration": "1"}, "duration is '1': it must be above 0 seconds"),
        ({"steps": 0}, "steps"),
        ({"steps": 4.0}, "steps is 4.0: it must be whole, from 1 to 1000"),
        ({"steps": "8", "surrogate_steps": None}, "steps is '8': it must be whole"),
        ({"steps": math.nan, "surrogate_steps": None}, "steps is nan: it must be whole"),
        ({"surrogate_steps": 1.5}, "surrogate-steps is 1.5: it must be whole"),
        ({"iterations": 2.5}, "iterations is 2.5: it must be whole"),
        ({"guidance": "3"}, "guidance is '3': it must be 0 or more"),
        ({"gradient": None}, "gradient 'None' is unknown"),
        ({"surrogate_steps": 0}, "surrogate-steps"),
        ({"lr": 0}, "lr"),
        ({"optimizer": "newton"}, "lbfgs-norm or lbfgs-free or adam"),
        ({"iterations": -1}, "iterations"),
        ({"guidance": math.inf}, "guidance"),
        ({"time_limit": 0}, "time-limit"),
        ({"tolerance": -0.1}, "tolerance"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"seed": [0, -(2**63) - 1]}, "seed is -9223372036854775809"),
        ({"seed": [1, 2, 3], "prompt": ["a", "b"]}, "one for all or one an item"),
    ],
)
def test_bad_settings_are_one_clear_line(
    model: SmallModel, wrong: dict[str, object], says: str
) -> None:
    call = {"prompt": "calm", **FAST, **wrong}
    with pytest.raises(InputError, match=says) as caught:
        optimize(model, control=Energy(1.0), **call)
    assert "\n" not in str(caught.value)


def test_nothing_asked_for_is_refused(model: SmallModel) -> None:
    with pytest.raises(InputError, match="0 prompts for 0 items: give one for all or one an item"):
        optimize(model, [], [], seed=[], **FAST)


def test_the_surrogate_hands_over_to_all_steps(model: SmallModel) -> None:
    result = optimize(
        model, "calm", Energy(2.0), duration=0.7, steps=6, surrogate_steps=2, iterations=60,
        tolerance=1e-3,
    )  # fmt: skip
    item = result.items[0]
    used = [row["steps"] for row in item.history]
    assert used == sorted(used)
    assert set(used) == {2, 6}
    assert item.stopped == "tolerance"
    assert item.final["loss"] == pytest.approx(
        min(r["loss"] for r in item.history if r["steps"] == 6)
    )


def test_a_third_of_the_iterations_is_left_for_all_steps(model: SmallModel) -> None:
    result = optimize(
        model, "calm", Energy(50.0), duration=0.7, steps=4, surrogate_steps=2, iterations=9
    )
    assert [row["steps"] for row in result.items[0].history] == [2] * 6 + [4] * 3


@pytest.mark.parametrize(("iterations", "steps"), [(1, [9]), (2, [4, 9]), (3, [4, 4, 9])])
def test_the_last_iteration_is_on_all_steps(
    model: SmallModel, iterations: int, steps: list[int]
) -> None:
    result = optimize(
        model, "calm", Energy(50.0), duration=0.7, steps=9, surrogate_steps=8, iterations=iterations
    )
    assert [row["steps"] for row in result.items[0].history] == steps


def test_a_surrogate_of_many_steps_has_a_coarser_one_before_it(model: SmallModel) -> None:
    result = optimize(
        model, "calm", Energy(50.0), duration=0.7, steps=9, surrogate_steps=8, iterations=10,
        optimizer="adam",
    )  # fmt: skip
    assert [row["steps"] for row in result.items[0].history] == [4] * 4 + [8] * 3 + [9] * 3


def test_steps_are_the_models_own_and_half_of_them_at_first(model: SmallModel) -> None:
    result = optimize(model, "calm", Energy(50.0), duration=0.7, iterations=6)
    assert [row["steps"] for row in result.items[0].history] == [5] * 4 + [10] * 2
    assert result.report()["steps"] == generate(model, "calm", duration=0.7).report()["steps"] == 10
    asked = optimize(model, "calm", Energy(50.0), duration=0.7, iterations=5, steps=20)
    assert [row["steps"] for row in asked.items[0].history] == [4] * 2 + [8] * 2 + [20]


def counted(model: SmallModel, seen: list[int], gradients: list[str] | None = None) -> SmallModel:
    """The same model, which notes the clips of each call, and each way back through one."""

    class Counting(SmallModel):
        def denoise(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
            seen.append(len(x_t))
            estimate = super().denoise(x_t, t, condition)
            if estimate.requires_grad and gradients is not None:
                estimate.register_hook(lambda _: gradients.append("call"))
            return estimate

    return Counting("counting", model.codec, model.denoiser, model.words, model.device)


def test_guidance_from_a_prompt_to_itself_costs_nothing(model: SmallModel) -> None:
    seen: list[int] = []
    counting = counted(model, seen)
    free = generate(counting, "", duration=0.7, steps=3)
    assert seen == [1, 1, 1]
    seen.clear()
    generate(counting, "calm", duration=0.7, steps=3)
    assert seen == [2, 2, 2]
    assert torch.equal(free.audio, generate(model, "", duration=0.7, steps=3, guidance=1).audio)


def test_neither_a_gradient_nor_a_sample_is_made_that_nothing_uses(model: SmallModel) -> None:
    """Of two iterations the second has no next; what it judged is the result, not made again."""
    seen: list[int] = []
    gradients: list[str] = []
    counting = counted(model, seen, gradients)
    settings = {"duration": 0.7, "steps": 3, "surrogate_steps": 3, "gradient": "plain"}
    found = optimize(counting, "calm", Energy(50.0), iterations=2, **settings).items[0]
    assert (len(seen), len(gradients)) == (2 * 3, 3)
    again = generate(model, "calm", duration=0.7, steps=3, x_T=found.x_T[None]).items[0]
    assert torch.equal(found.latent, again.latent)
    met = optimize(counting, "calm", Energy(50.0), tolerance=1e9, **settings).items[0]
    assert (met.stopped, len(seen), len(gradients)) == ("tolerance", 3 * 3, 3)


class Brighter(Control):
    """More of everything above 3 kHz: it says nothing of the level, and is met by loudness."""

    name = "brighter"
    tolerance = 0.3

    def target(self, form: Form) -> Tensor:
        return torch.zeros(())

    def feature(self, clip: Clip) -> Tensor:
        return torch.fft.rfft(clip.mono)[:, clip.audio.shape[-1] // 8 :].abs().square().mean(-1)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return 0.1 / (1 + feature)


def test_what_knows_no_level_does_not_get_louder_than_the_ceiling(model: SmallModel) -> None:
    settings = {"duration": 1.0, "steps": 3, "surrogate_steps": 3, "iterations": 40}

    def loudest(ceiling: float, control: Term) -> float:
        audio = optimize(model, "calm", control, ceiling=ceiling, tolerance=0.0, **settings).audio
        power = audio[0, 0].unfold(0, model.sample_rate // 2, model.sample_rate // 4).square()
        return 10 * math.log10(float(power.mean(1).max()))

    free = loudest(20.0, Brighter())
    held = loudest(free - 6, Brighter())
    assert held < free - 1  # as far as this model can go
    asked = Brighter() + Intensity([free, free])
    assert loudest(free - 6, asked) > held + 0.5


def test_what_a_file_would_clip_is_not_met(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"duration": 1.0, "steps": 3, "surrogate_steps": 3}
    decode, clip = SmallModel.decode, generate(model, "calm", duration=1.0, steps=3)
    gain = 1.08 / float(clip.audio.abs().max())
    monkeypatch.setattr(SmallModel, "decode", lambda self, latent: gain * decode(self, latent))
    met = {"iterations": 60, "tolerance": 9.0} | settings  # what is asked for is met from the start
    loud = optimize(model, "calm", Brighter(), ceiling=20.0, **met)
    assert len(loud.items[0].history) == 1
    assert float(loud.audio.abs().max()) > 1
    held = optimize(model, "calm", Brighter(), ceiling=10.0, **met)
    assert len(held.items[0].history) == 1
    held = optimize(model, "calm", Brighter(), ceiling=-1.0, **met)
    assert held.items[0].stopped == "tolerance"
    assert float(held.audio.abs().max()) <= 1


class Stubborn(Control):
    """A loss that cannot fall below one."""

    name = "stubborn"

    def target(self, form: Form) -> Tensor:
        return torch.ones(())

    def feature(self, clip: Clip) -> Tensor:
        return clip.latent.flatten(1).mean(1)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return 1 + 1e-4 * feature.square()


def test_a_search_that_gains_nothing_ends_early(model: SmallModel) -> None:
    settings = {"duration": 1.0, "steps": 2, "surrogate_steps": 2, "iterations": 60}
    item = optimize(model, "calm", Stubborn(), **settings).items[0]
    assert item.stopped == "stalled"
    assert len(item.history) == 11
    staged = optimize(model, "calm", Stubborn(), **settings | {"steps": 8, "surrogate_steps": 6})
    assert [row["steps"] for row in staged.items[0].history] == [3] * 11 + [6] * 11 + [8] * 11
