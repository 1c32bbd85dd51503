"""Every system on the tiny model: it does what it claims, item by item, and stops when told."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from gaussian import SECONDS, Distance, Gaussian
from torch import Tensor

from ditto_music import Control, InputError, Intensity, Progress, ending, generate
from ditto_music.baselines import METHODS, walking
from ditto_music.baselines.walking import Place, Walk
from ditto_music.item import Item
from ditto_music.models.small import SmallModel
from ditto_music.problem import Problem
from ditto_music.result import Settings
from ditto_music.sampling.guidance import Guidance

#: Guided methods by what is 0 where they go down nothing.
UNGUIDED = {
    "freedom": "rho", "guidance-gradients": "xi", "dps": "zeta", "mpgd": "rho", "dsg": "rate",
}  # fmt: skip
GUIDED = tuple(UNGUIDED)
CONTROLLING = [
    name
    for name, method in METHODS.items()
    if not method.keeps and not method.follows and name != "plain"
]
RISE = Intensity([-35, -14])
FAST = {"duration": 0.7, "iterations": 10}


@pytest.mark.parametrize("name", CONTROLLING)
def test_the_loss_is_lower_than_that_of_plain_sampling(model: SmallModel, name: str) -> None:
    steps = 30 if name in GUIDED else 6
    sampler = "edict" if name == "doodl" else "adams"
    asked = {"seed": [0, 1], "duration": 0.7, "steps": steps}
    plain = (
        METHODS[name](model, ["calm", "jazz"], RISE, **asked, **{UNGUIDED[name]: 0.0})
        if name in GUIDED  # its own noise on the way alone makes a difference
        else generate(model, ["calm", "jazz"], RISE, sampler=sampler, **asked)
    )
    result = METHODS[name](model, ["calm", "jazz"], RISE, **asked, iterations=10)
    for item, free in zip(result.items, plain.items, strict=True):
        assert item.final["loss"] < free.final["loss"]
    assert result.method == name


@pytest.mark.parametrize("name", ["ditto", "best-of", "doodl", "dps"])
@pytest.mark.parametrize("control", [RISE, Distance(torch.ones(1))], ids=["audio", "latent"])
def test_who_watches_sees_no_graph(model: SmallModel, name: str, control: Control) -> None:
    seen: list[tuple[int, ...]] = []
    METHODS[name](
        *(model, "calm", control), duration=0.7, steps=3, iterations=2,
        callback=lambda progress: seen.append(progress.clip.audio.numpy().shape),
    )  # fmt: skip
    assert set(seen) == {(1, 1, 16_800)}


@pytest.mark.parametrize("name", [*GUIDED, "doodl", "best-of"])
@pytest.mark.parametrize("prompts", [["slow jazz", "calm"], ["slow jazz", ""]])
@pytest.mark.usefixtures("double_noise")
def test_items_are_independent(double_model: SmallModel, name: str, prompts: list[str]) -> None:
    """Also where one of them alone has words that are guided by."""
    more = {"steps": 5, "guidance": 3.0, "duration": 0.7, "iterations": 2}
    both = METHODS[name](double_model, prompts, RISE, seed=[1, 2], **more)
    alone = METHODS[name](double_model, prompts[1], RISE, seed=2, **more)
    assert torch.allclose(both.items[1].latent, alone.items[0].latent, atol=1e-6)
    assert both.items[1].final["loss"] == pytest.approx(alone.items[0].final["loss"], rel=1e-4)


@pytest.mark.parametrize("name", CONTROLLING)
def test_the_same_seed_gives_the_same_bits(model: SmallModel, name: str) -> None:
    more = {"steps": 5, "duration": 0.7, "iterations": 2, "seed": 3}
    first, second = (METHODS[name](model, "calm", RISE, **more) for _ in range(2))
    assert torch.equal(first.audio, second.audio)


@pytest.mark.parametrize("name", [*GUIDED, "doodl", "best-of"])
@pytest.mark.parametrize("how", ["returns True", "Ctrl-C"])
def test_an_interrupt_gives_what_there_is(model: SmallModel, name: str, how: str) -> None:
    def stop(progress: Progress) -> bool:
        if progress.iteration == 2 and how == "Ctrl-C":
            raise KeyboardInterrupt
        return progress.iteration == 2

    item = METHODS[name](model, "calm", RISE, steps=8, callback=stop, **FAST).items[0]
    assert item.stopped == "interrupted"
    assert len(item.history) == 2
    assert bool(torch.isfinite(item.audio).all())


@pytest.mark.parametrize("name", ["ditto", "dps", "doodl", "best-of"])
def test_time_counts_once_prompts_are_read(
    model: SmallModel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever method reads one first: the others find it read."""
    condition, now, seen = SmallModel.condition, 0.0, list[float]()

    def slowly(*arguments: Any) -> Any:
        nonlocal now
        now += 100.0
        return condition(*arguments)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(SmallModel, "condition", slowly)
    more = {"steps": 2, "duration": 0.7, "iterations": 1}
    result = METHODS[name](model, "calm", RISE, callback=lambda at: seen.append(at.seconds), **more)
    assert now > 0
    assert {result.seconds, *seen} == {0.0}


@pytest.mark.parametrize("name", ["plain", *CONTROLLING])
def test_noise_that_was_given_is_one_for_all_or_one_an_item(model: SmallModel, name: str) -> None:
    one = torch.randn(1, *model.latent_shape(0.7), generator=torch.Generator().manual_seed(0))
    asked = {"seed": [1, 2], "steps": 2, "duration": 0.7, "iterations": 1}
    result = METHODS[name](model, "calm", RISE, x_T=one, **asked)
    each = METHODS[name](model, "calm", RISE, x_T=torch.cat([one, one]), **asked)
    assert torch.equal(result.audio, each.audio)
    with pytest.raises(InputError, match="x_T has 3 items for 2: give one, or one an item"):
        METHODS[name](model, "calm", RISE, x_T=torch.cat([one, one, one]), **asked)
    with pytest.raises(InputError, match=r"x_T is of shape .* with \(items, "):
        METHODS[name](model, "calm", RISE, x_T=one[..., 1:], **asked)
    if name in (*GUIDED, "doodl"):
        with pytest.raises(InputError, match=r"x_T is of shape .* with \(items, "):
            METHODS[name](model, "calm", RISE, x_T=one[:, None].repeat(1, 2, 1, 1), **asked)


@pytest.mark.parametrize(
    ("name", "owner", "last"),
    [
        ("dps", walking, "measured"),
        ("dps", walking, "packed"),
        *((name, ending, "packed") for name in ("doodl", "best-of")),
    ],
)
def test_an_interrupt_at_the_end_does_not_lose_what_was_found(
    model: SmallModel, name: str, owner: object, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless one is asked for twice."""
    inner, cuts = getattr(owner, last), 0

    def cut(*arguments: Any) -> Any:
        nonlocal cuts
        cuts -= 1
        if cuts >= 0:
            raise KeyboardInterrupt
        return inner(*arguments)

    def made() -> Item:
        return METHODS[name](model, "calm", RISE, steps=3, **FAST).items[0]

    whole = made()
    monkeypatch.setattr(owner, last, cut)
    cuts = 1
    item = made()
    assert item.stopped == "interrupted"
    assert len(item.history) == len(whole.history)
    assert torch.equal(item.audio, whole.audio)
    cuts = 2
    with pytest.raises(KeyboardInterrupt):
        made()


@pytest.mark.parametrize("name", [*GUIDED, "doodl"])
@pytest.mark.parametrize("plan", ["blocks", "plain"])
def test_blocks_are_kept_one_at_a_time_where_a_gradient_goes_through_the_network(
    name: str, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, entered, spared = Gaussian(), [False], list[bool]()
    denoise = model.denoise

    @contextmanager
    def sparing() -> Generator[None]:
        entered[0] = True
        yield
        entered[0] = False

    def seen(x_t: Tensor, *rest: Any) -> Tensor:
        if x_t.requires_grad:
            spared.append(entered[0])
        return denoise(x_t, *rest)

    monkeypatch.setattr(model, "sparing", sparing)
    monkeypatch.setattr(model, "denoise", seen)
    METHODS[name](
        model, "high", Distance(torch.zeros(2, 8)), duration=SECONDS, steps=4, iterations=1,
        gradient=plan,
    )  # fmt: skip
    assert set(spared) == (set() if name == "mpgd" else {plan == "blocks"})


@pytest.fixture
def passes(model: SmallModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock of 10 ms a pass through the denoiser, and the passes there have been."""
    count = [0]
    denoise = model.denoise

    def counted(*args: Any) -> Tensor:
        count[0] += 1
        return denoise(*args)

    monkeypatch.setattr(model, "denoise", counted)
    monkeypatch.setattr(time, "monotonic", lambda: 0.01 * count[0])
    return count


@pytest.mark.parametrize("name", [*GUIDED, "best-of", "doodl"])
def test_a_time_limit_is_used_and_kept(model: SmallModel, name: str, passes: list[int]) -> None:
    once = METHODS[name](model, "calm", RISE, steps=4, iterations=1, duration=0.7).items[0]
    passes[0] = 0
    more = {"duration": 0.7, "iterations": 10_000, "time_limit": 0.6}
    result = METHODS[name](model, "calm", RISE, steps=4, **more)
    assert result.items[0].stopped == "time"
    assert 35 <= passes[0] <= 66  # two of them to see what activations take
    assert result.settings.steps == 4
    assert len(result.items[0].history) > len(once.history)
    if name != "doodl":  # another number of iterations has no other walks
        assert result.items[0].final["loss"] <= once.final["loss"] * (1 + 1e-5)


@pytest.mark.parametrize("name", GUIDED)
def test_a_walk_that_has_no_time_takes_fewer_steps(
    model: SmallModel, name: str, passes: list[int]
) -> None:
    more = {"duration": 0.7, "iterations": 1, "steps": 200, "time_limit": 0.5}
    result = METHODS[name](model, "calm", RISE, **more)
    assert 8 <= result.settings.steps < 120
    assert 25 <= passes[0] <= 90


@pytest.mark.parametrize(("limit", "iterations", "steps"), [(3, 70, 8), (40, 70, 20), (5, 1, 20)])
def test_a_search_that_has_time_for_few_iterations_takes_fewer_steps(
    model: SmallModel, passes: list[int], limit: int, iterations: int, steps: int
) -> None:
    more = {"duration": 0.7, "steps": 20, "iterations": iterations, "tolerance": 0.0}
    result = METHODS["doodl"](model, "calm", RISE, time_limit=float(limit), **more)
    assert result.settings.steps == steps
    assert len(result.items[0].history) >= min(5, iterations)
    assert passes[0] <= 105 * limit


@pytest.fixture
def rows(model: SmallModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock of 10 ms for each latent through the denoiser and 50 ms a decode."""
    count = [0]
    denoise, decode = model.denoise, model.decode

    def counted(x_t: Tensor, *rest: Any) -> Tensor:
        count[0] += len(x_t)
        return denoise(x_t, *rest)

    def decoded(*args: Any) -> Tensor:
        count[0] += 5
        return decode(*args)

    monkeypatch.setattr(model, "denoise", counted)
    monkeypatch.setattr(model, "decode", decoded)
    monkeypatch.setattr(time, "monotonic", lambda: 0.01 * count[0])
    return count


def test_a_step_too_short_to_be_timed_leaves_the_fewest(model: SmallModel) -> None:
    problem = Problem(model, "calm", RISE, 0, Settings(0.7, 20))
    assert walking.shortened(problem, 0.0, -1.0).settings.steps == walking.FEWEST
    assert walking.shortened(problem, 2.0, 1.0).settings.steps == 10
    assert walking.shortened(problem, 1.0, 1.0).settings.steps == 20


def test_what_is_decoded_is_not_counted_for_each_step(model: SmallModel, rows: list[int]) -> None:
    """Twenty looks of twenty steps take 18 s of this clock: 80 latents and two decodes each."""
    more = {"duration": 0.7, "steps": 20, "iterations": 100, "tolerance": 0.0, "guidance": 3.0}
    result = METHODS["doodl"](model, "calm", RISE, time_limit=20.0, **more)
    assert result.settings.steps == 20
    assert len(result.items[0].history) >= 20


@pytest.mark.parametrize("name", GUIDED)
@pytest.mark.parametrize("steps", [20, 200])
@pytest.mark.parametrize("interval", [(0.0, 1.0), (0.3, 0.8), (0.0, 0.4)])
def test_guided_steps_and_the_last_decode_are_within_the_limit(
    model: SmallModel, name: str, steps: int, interval: tuple[float, float], rows: list[int]
) -> None:
    more = {"duration": 0.7, "time_limit": 6.0, "guidance": Guidance(3.0, interval)}
    result = METHODS[name](model, "calm", RISE, steps=steps, **more)
    assert result.items[0].stopped == "time"
    assert 0.75 * 6.0 <= result.seconds <= 1.01 * 6.0


@pytest.mark.parametrize("limited", [True, False])
def test_items_that_are_met_in_different_walks_are_each_met(
    limited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of them: the first walk meets one, the second another, which the first then leaves."""
    goal, walks = torch.zeros(2, 8), [0]
    settings = Settings(SECONDS, 2, tolerance=0.5, time_limit=10.0 if limited else None)
    problem = Problem(Gaussian(), "high", Distance(goal), [0, 1, 2], settings)
    monkeypatch.setattr(time, "monotonic", lambda: problem.started + 3.0 * walks[0])
    monkeypatch.setattr(walking, "fit", lambda problem, *_: (problem, 0.0))
    values = [(0.1, 2.0, 3.0), (5.0, 0.2, 2.5), (5.0, 5.0, 2.0)]

    def rule(walk: Walk, x: Tensor, place: Place) -> Tensor:
        far = torch.tensor(values[walks[0]]).reshape(3, 1, 1).expand_as(x).to(x)
        if place.number == place.steps - 1:
            walks[0] += 1
        return far

    result = walking.steered("rule", problem, rule, None, None, calls=lambda place: 1)
    if limited:
        assert [item.stopped for item in result.items] == ["tolerance", "tolerance", "time"]
        ends = (0.1, 0.2, 2.0)
    else:
        assert [item.stopped for item in result.items] == ["tolerance", *["iterations"] * 2]
        ends = (0.1, 2.0, 3.0)
    for item, end in zip(result.items, ends, strict=True):
        assert item.final["distance"] == pytest.approx(end**2)


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("freedom", {"repeats": 0}, "repeats is 0: it must be 1 or more"),
        ("freedom", {"rho": -1.0}, "rho is -1: it must be 0 or more"),
        ("mpgd", {"rho": float("nan")}, "rho is nan"),
        ("dps", {"zeta": -0.5}, r"zeta is -0\.5"),
        ("dsg", {"rate": 1.5}, r"rate is 1\.5: it must be 0 to 1"),
        ("guidance-gradients", {"xi": float("inf")}, "xi is inf"),
        ("best-of", {"draws": 0}, "draws is 0"),
        ("doodl", {"steps": 0}, "steps is 0"),
    ],
)
def test_numbers_out_of_range_are_one_clear_line(
    model: SmallModel, name: str, more: dict, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        METHODS[name](model, "calm", RISE, duration=0.7, **more)


@pytest.mark.parametrize("name", METHODS)
def test_own_settings_are_settings(name: str) -> None:
    assert set(METHODS[name].own) <= {"steps", "iterations", "lr", "guidance"}
