"""Saved runs: what is read is what was written, and it can be sampled and searched again."""

import json
import math
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditto_music import (
    Guidance,
    InputError,
    Intensity,
    Melody,
    Rhythm,
    Structure,
    Style,
    generate,
    optimize,
)
from ditto_music.audio import write_recording
from ditto_music.baselines import dps
from ditto_music.controls import Control, Match
from ditto_music.editing import inpaint, invert, loop, loop_from_prompt, outpaint
from ditto_music.editing.edit import Edit
from ditto_music.editing.filling import Task, latent_of
from ditto_music.ending import packed
from ditto_music.features import intensity
from ditto_music.models.small import SmallModel, debug_model
from ditto_music.optimize import Progress
from ditto_music.protocols import Clip, Form
from ditto_music.result import Result
from ditto_music.room import Room
from ditto_music.runs import load_run, run_of, save_run
from ditto_music.sampling import Projection
from ditto_music.vary import diversity, resume, resumed, vary
from tests.editing.sounds import clicks, music

LOOP = Path(__file__).with_name("recordings") / "loop_compus.flac"
FAST = {"steps": 3, "surrogate_steps": 3, "iterations": 2}


class Loud(Control):
    """A control of the user's own."""

    name = "loud"

    def target(self, form: Form) -> Tensor:
        return torch.ones(())

    def feature(self, clip: Clip) -> Tensor:
        return clip.mono.square().mean(-1)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return (feature - target).square()


class Louder(Loud):
    """Likes it loud, and does not say how loud."""

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return 0.1 / (1 + feature)


def test_a_run_is_read_as_it_was_written(model: SmallModel, tmp_path: Path) -> None:
    asked = Intensity([(0.0, -30.0), (1.0, -20.0)]) + 0.5 * Melody("C4:0.5 E4:0.5")
    made = optimize(model, "calm", asked, seed=3, duration=1.0, negative_prompt="techno", **FAST)
    save_run(tmp_path / "run", run_of(made, asked, ["control", "calm"]))
    run = load_run(tmp_path / "run")
    assert (run.model, run.settings, run.command) == ("debug", made.settings, ["control", "calm"])
    (take,) = run.takes
    assert (take.prompt, take.seed) == ("calm", 3)
    assert torch.equal(take.x_T, made.x_T[0])
    assert take.control is not None
    again = generate(
        model, "calm", take.control, duration=1.0, steps=3, negative_prompt="techno",
        x_T=take.x_T[None],
    )  # fmt: skip
    assert torch.equal(again.audio, made.audio)
    assert again.items[0].final == pytest.approx(made.items[0].final)


def test_each_item_of_a_run_has_its_own_control(model: SmallModel, tmp_path: Path) -> None:
    asked = [Intensity([-30, -20]), Loud(), Intensity([-20, -30])]
    made = optimize(model, "calm", asked, seed=[0, 1, 2], duration=1.0, **FAST)
    save_run(tmp_path / "run", run_of(made, [asked[0], asked[2], asked[2]]))
    run = load_run(tmp_path / "run")
    again = resume(model, run, iterations=1)
    assert isinstance(again, Result)
    assert [list(item.metrics) for item in again.items] == [["intensity"]] * 3
    assert again.items[2].history[0] == pytest.approx(made.items[2].final | {"steps": 3.0})
    assert [take.control for take in run_of(made, asked).takes] == asked
    with pytest.raises(InputError, match="2 controls for 3 items: give one for all or one an item"):
        run_of(made, asked[:2])
    with pytest.raises(InputError, match="the music was asked for intensity: give run_of the con"):
        run_of(made)


def test_only_music_of_the_noise_found_makes_a_run(model: SmallModel) -> None:
    asked = Intensity([-30, -20])
    short: dict[str, Any] = {"duration": 1.0, "steps": 3}
    guided = dps(model, "calm", asked, **short)
    with pytest.raises(InputError, match="method 'dps' finds none: ditto, plain, best-of, doodl"):
        run_of(guided, asked)
    varied = vary(model, run_of(generate(model, "calm", **short)), count=1).results[0]
    with pytest.raises(InputError, match="method 'vary' finds none"):
        run_of(varied)


def test_a_rule_of_guidance_is_read_as_it_was_written(model: SmallModel, tmp_path: Path) -> None:
    how = Guidance(4.0, (0.2, 0.9), projection=Projection("flow", -0.5, 2.0, 0.5))
    made = generate(model, "calm", duration=1.0, steps=3, guidance=how)
    save_run(tmp_path / "run", run_of(made))
    assert load_run(tmp_path / "run").settings.guiding == how
    assert json.loads(json.dumps(made.report()))["guidance_projection"]["momentum"] == -0.5


def test_numbers_of_numpy_are_written_as_plain_ones(model: SmallModel, tmp_path: Path) -> None:
    asked, half = Intensity(np.array([-30, -20])), np.float32(0.5)
    how = Guidance(np.float64(4.0), (np.float32(0.0), half))
    made = optimize(
        model, "calm", asked, seed=np.int64(3), duration=np.float32(1.0), steps=np.int64(3),
        surrogate_steps=np.int32(3), iterations=np.uint8(2), lr=half, tolerance=np.float32(0.0),
        guidance=how, ceiling=np.float16(-12.0),
    )  # fmt: skip
    made.save_report(tmp_path / "report.json", figures=[half, np.float32(math.nan)])
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["steps"], report["lr"], report["figures"]) == (3, 0.5, [0.5, None])
    save_run(tmp_path / "run", run_of(made, asked))
    assert load_run(tmp_path / "run").settings == made.settings


def test_files_come_along(model: SmallModel, tmp_path: Path) -> None:
    groove = tmp_path / "groove.wav"
    write_recording(groove, clicks(2.0, 120.0))
    asked = Rhythm(groove) + Style({"jazz": 1.0, "guitar": 0.5}) + Structure("A:0.5 B")
    made = generate(model, "calm", asked, duration=1.0, steps=2)
    save_run(tmp_path / "run", run_of(made, asked))
    before = made.items[0].final
    groove.unlink()
    control = load_run(tmp_path / "run").takes[0].control
    assert control is not None
    again = generate(model, "calm", control, duration=1.0, steps=2)
    assert again.items[0].final == pytest.approx(before)


def test_words_that_are_names_of_files_too_stay_words(
    model: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AABA", "jazz", "correlation"):
        Path(name).write_text("mine")
    shutil.copy(LOOP, "groove.flac")
    words = Structure("AABA") + Style("jazz") + Intensity([-30, -20], "correlation")
    asked = [words, words + Structure("groove.flac") + Intensity("groove.flac")]
    made = generate(model, "calm", asked, duration=2.0, steps=2)
    for number, kept in enumerate(([], ["0-groove.flac"])):
        save_run(f"run-{number}", run_of(made[number], asked[number]))
        assert [file.name for file in Path(f"run-{number}").glob("files/*")] == kept
    Path("groove.flac").unlink()
    for number, item in enumerate(made.items):
        control = load_run(f"run-{number}").takes[0].control
        assert control is not None
        again = generate(model, "calm", control, duration=2.0, steps=2)
        assert again.items[0].final == pytest.approx(item.final, rel=2e-3)


def test_windows_share_their_control_and_its_file(model: SmallModel, tmp_path: Path) -> None:
    groove = tmp_path / "groove.wav"
    write_recording(groove, clicks(30.0, 120.0))
    edit = outpaint(model, music(4.0, 24_000, 1), 20.0, "", control=Rhythm(groove), **FAST)
    save_run(tmp_path / "run", run_of(edit))
    assert len(list((tmp_path / "run" / "files").iterdir())) == 1
    tasks = [take.task for take in load_run(tmp_path / "run").takes]
    controls = {id(task.wish.control) for task in tasks if isinstance(task, Task)}
    assert len(tasks) > 1
    assert len(controls) == 1


def test_tensors_may_be_shared(model: SmallModel, tmp_path: Path) -> None:
    """By takes, by controls of one take, and as views of one another."""
    one = generate(model, "", duration=1.0, steps=2, seed=1)
    reference = one.items[0].latent
    early = (torch.arange(reference.shape[-1]) < 5).float()
    asked = Match(reference, early) + Match(reference, 1 - early)
    noise = one.x_T.expand(2, *one.x_T.shape[1:])
    made = generate(model, ["calm", "jazz"], asked, duration=1.0, steps=2, x_T=noise)
    save_run(tmp_path / "run", run_of(made, asked))
    takes = load_run(tmp_path / "run").takes
    assert takes[0].control is takes[1].control is not None
    assert torch.equal(torch.stack([take.x_T for take in takes]), made.x_T)
    again = generate(model, ["calm", "jazz"], takes[0].control, duration=1.0, steps=2, x_T=noise)
    assert [item.final for item in again.items] == [item.final for item in made.items]


def test_a_control_of_ones_own_is_asked_for(model: SmallModel, tmp_path: Path) -> None:
    made = optimize(model, "calm", Loud(), duration=1.0, **FAST)
    save_run(tmp_path / "run", run_of(made, Loud()))
    with pytest.raises(InputError, match=r"^the run was made with a control of your own, .*Loud: "):
        load_run(tmp_path / "run")
    assert load_run(tmp_path / "run", Loud()).takes[0].control is not None


def test_runs_that_cannot_be_read_are_one_clear_line(model: SmallModel, tmp_path: Path) -> None:
    run = run_of(generate(model, "calm", duration=1.0, steps=2))
    with pytest.raises(InputError, match=r"no saved run: run\.json is missing"):
        load_run(tmp_path / "none")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "song.txt").write_text("mine")
    with pytest.raises(InputError, match="folder of other things"):
        save_run(tmp_path / "other", run)
    save_run(tmp_path / "run", run)
    save_run(tmp_path / "run", run)  # an earlier run is replaced
    (tmp_path / "run" / "takes").mkdir()
    with pytest.raises(InputError, match="run: holds takes, too; move it"):
        save_run(tmp_path / "run", run)
    said = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(said | {"format": 99}))
    with pytest.raises(InputError, match=r"^\S+run: a run of format 99 .*use that version$"):
        load_run(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        load_run(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps(said))
    (tmp_path / "run" / "run.safetensors").unlink()
    with pytest.raises(InputError, match=r"no saved run: run\.safetensors is missing"):
        load_run(tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run"]


def test_a_run_belongs_to_its_weights(model: SmallModel, tmp_path: Path) -> None:
    asked = Intensity([-30, -20])
    made = replace(optimize(model, "calm", asked, duration=1.0, **FAST), revision="ab")
    save_run(tmp_path / "run", run_of(made, asked))
    run = load_run(tmp_path / "run")
    assert run.revision == "ab"
    said = json.loads((tmp_path / "run" / "run.json").read_text())
    del said["revision"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(said))
    assert load_run(tmp_path / "run").revision is None  # of an earlier version

    other = debug_model()
    other.__dict__["_revision"] = "cd"
    for use in (vary, resume):
        with pytest.raises(InputError, match="with weights ab of debug, and to cd its noise"):
            use(other, run)
    other.__dict__["_revision"] = "ab"
    assert len(vary(other, run, count=1).results) == 1


def test_without_fresh_noise_a_variation_is_the_run_itself(model: SmallModel) -> None:
    made = generate(model, "calm", duration=1.0, steps=3, sampler="ddim")
    same = vary(model, run_of(made), eta=0.0)
    assert len(same.results) == 1
    assert torch.allclose(same.results[0].audio, made.audio, atol=1e-6)
    assert math.isnan(same.diversity)


def test_variations_differ_more_the_more_noise_is_fresh(model: SmallModel) -> None:
    made = generate(model, "calm", duration=1.0, steps=6, sampler="ddim")
    apart = [
        float((vary(model, run_of(made), count=1, **how).results[0].items[0].latent
               - made.items[0].latent).square().mean())
        for how in ({"eta": 0.2}, {"eta": 1.0}, {"eta": 0.0, "walk": 0.2}, {"eta": 0.0, "walk": 1})
    ]  # fmt: skip
    assert 0 < apart[0] < apart[1]
    assert 0 < apart[2] < apart[3]
    two = vary(model, run_of(made), count=2, eta=1.0, seed=5)
    again = vary(model, run_of(made), count=2, eta=1.0, seed=5)
    assert torch.equal(two.results[1].audio, again.results[1].audio)
    assert not torch.equal(two.results[0].audio, two.results[1].audio)
    assert two.diversity > 0
    walked = vary(model, run_of(made), count=1, eta=0.0, walk=0.5).results[0]
    assert float(walked.x_T.std()) == pytest.approx(1.0, abs=0.05)


def test_guidance_on_the_way_keeps_more_of_the_control(model: SmallModel) -> None:
    asked = Intensity([-20, -35])
    found = optimize(model, "calm", asked, duration=1.0, steps=8, surrogate_steps=8, iterations=8)
    run = run_of(found, asked)
    plain, guided = (
        [each.items[0].final["intensity"]
         for each in vary(model, run, count=3, eta=1.0, guide=guide).results]
        for guide in (0.0, 0.5)
    )  # fmt: skip
    assert np.mean(guided) < np.mean(plain)


def test_another_prompt(model: SmallModel) -> None:
    made = generate(model, "calm", duration=1.0, steps=3)
    other = vary(model, run_of(made), count=1, eta=0.0, prompt="techno").results[0]
    assert other.items[0].prompt == "techno"
    assert not torch.equal(other.audio, made.audio)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": 2, "eta": 0.0}, "count is 2, but with eta 0 and walk 0 all .* the same"),
        ({"eta": 1.5}, r"eta is 1\.5"),
        ({"walk": -0.1}, r"walk is -0\.1"),
        ({"guide": math.nan}, "guide is nan"),
        ({"guide": 0.2}, "no control to guide by"),
    ],
)
def test_bad_variations_are_refused(model: SmallModel, how: dict[str, float], says: str) -> None:
    run = run_of(generate(model, "calm", duration=1.0, steps=2))
    with pytest.raises(InputError, match=says):
        vary(model, run, **how)  # pyright: ignore[reportArgumentType]


def edits(model: SmallModel) -> dict[str, Edit]:
    sound = music(4.0, 24_000, 2)
    return {
        "inpaint": inpaint(model, sound, [(0.5, 0.9), (2.0, 2.5)], "calm", **FAST),
        "outpaint": outpaint(model, sound, 1.0, "", control=Intensity([-30, -20]), **FAST),
        "before": outpaint(model, sound, 20.0, "", before=True, **FAST),
        "loop": loop(model, sound, "", **FAST),
        "words": loop_from_prompt(model, "calm", seconds=1.5, control=Style("jazz"), **FAST),
    }


def test_edits_are_saved_varied_and_resumed_in_place(model: SmallModel, tmp_path: Path) -> None:
    for name, edit in edits(model).items():
        save_run(tmp_path / name, run_of(edit))
        run = load_run(tmp_path / name)
        assert run.edit
        windows = [
            [task.window for task in one.tasks if isinstance(task, Task)]
            for one in (edit, run.edit)
        ]
        assert windows[0] == windows[1]
        varied = vary(model, run, count=1, eta=1.0).edits[0]
        more = resume(model, run, iterations=1)
        assert isinstance(more, Edit)
        for out in (varied, more):
            assert out.recording.samples.shape == edit.recording.samples.shape, name
            assert out.recording.subtype == edit.recording.subtype
            assert out.loops == edit.loops
            changed = (out.recording.samples != edit.recording.samples).any(1)
            new = np.zeros(len(changed), dtype=bool)
            for start, stop in out.regions:
                new[round(start * 24_000) : round(stop * 24_000)] = True
            assert not changed[~new].any(), name
        assert (varied.recording.samples != edit.recording.samples).any(), name
        assert len(varied.results) == (1 if name == "before" else len(edit.results))
        save_run(tmp_path / name, resumed(run, more))
        again = load_run(tmp_path / name)
        assert again.edit
        assert len(again.takes) == len(run.takes)
        assert again.edit.regions == run.edit.regions
        assert torch.equal(again.takes[-1].x_T, more.results[-1].items[0].x_T)


def test_only_regions_that_a_later_one_continues_are_left(model: SmallModel) -> None:
    regions = [(0.5, 0.9), (0.9, 1.3), (2.5, 3.0)]
    edit = inpaint(model, music(4.0, 24_000, 1), regions, "calm", **FAST)
    assert vary(model, run_of(edit), count=1).edits[0].regions == regions[1:]


def test_every_clip_of_a_run_is_varied(model: SmallModel) -> None:
    made = generate(model, ["calm", "techno"], duration=1.0, steps=2, seed=[1, 2])
    found = vary(model, run_of(made), count=2, eta=1.0)
    assert [[item.prompt for item in each.items] for each in found.results] == [
        ["calm", "techno"],
        ["calm", "techno"],
    ]
    alone = [diversity([each.items[i].audio for each in found.results], model) for i in range(2)]
    assert found.diversity == pytest.approx(np.mean(alone))


def test_resuming_gives_up_a_little_of_the_control_for_the_ceiling(model: SmallModel) -> None:
    """What is louder than it may be is not nearer."""
    asked = Louder()
    settings = {"duration": 1.0, "steps": 3, "surrogate_steps": 3, "tolerance": 0.0}
    found = optimize(model, "calm", asked, iterations=20, ceiling=20.0, **settings)
    loudest = float(intensity(found.audio, found.sample_rate).max())
    more = resume(model, run_of(found, asked), iterations=40, ceiling=loudest - 6)
    assert isinstance(more, Result)
    assert more.items[0].final["loss"] > found.items[0].final["loss"]
    assert float(intensity(more.audio, more.sample_rate).max()) < loudest - 1


def test_resuming_goes_on_from_the_noise_found(model: SmallModel) -> None:
    asked = Intensity([-20, -35])
    settings = {"duration": 1.0, "steps": 4, "surrogate_steps": 4, "tolerance": 0.0}
    found = optimize(model, "calm", asked, iterations=4, **settings)
    more = resume(model, run_of(found, asked), iterations=6)
    assert isinstance(more, Result)
    assert more.items[0].history[0]["loss"] == pytest.approx(found.items[0].final["loss"], rel=1e-4)
    assert more.items[0].final["loss"] < found.items[0].final["loss"]
    with pytest.raises(InputError, match="nothing was asked"):
        resume(model, run_of(generate(model, "calm", duration=1.0, steps=2)))


def test_resuming_never_gives_what_is_farther(model: SmallModel) -> None:
    """What two steps like better need not be nearer on all."""
    asked = Intensity([-20, -35])
    settings = {"duration": 1.0, "steps": 8, "surrogate_steps": 8, "tolerance": 0.0}
    found = optimize(model, "calm", asked, iterations=12, **settings)
    more = resume(
        model, run_of(found, asked), surrogate_steps=2, iterations=2, optimizer="adam", lr=3.0
    )
    assert isinstance(more, Result)
    assert len(more.items[0].history) == 2
    assert more.items[0].final["loss"] <= found.items[0].final["loss"] * 1.0001


@pytest.mark.parametrize("way", ["in a search", "between searches"])
def test_interrupted_it_keeps_what_is_done(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """One Ctrl-C ends all of it, and costs nothing that was found."""
    edit = inpaint(model, music(4.0, 24_000, 2), [(0.5, 0.9), (2.0, 2.5)], "calm", **FAST)
    run, seen = run_of(edit), list[int]()

    def stop(progress: Progress) -> bool:
        seen.append(progress.iteration)
        return way == "in a search"

    expect = Room.expect

    def begun(self: Room, *args: Any, **kwargs: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        expect(self, *args, **kwargs)

    monkeypatch.setattr(Room, "expect", begun)
    more = resume(model, run, callback=stop, iterations=2, tolerance=0.0)
    assert isinstance(more, Edit)
    assert [result.items[0].stopped for result in more.results] == ["interrupted"]
    assert more.regions == [(0.5, 0.9)]
    second = slice(round(0.9 * 24_000), None)
    assert np.array_equal(more.recording.samples[second], edit.recording.samples[second])
    kept = resumed(run, more)
    assert torch.equal(kept.takes[0].x_T, more.results[0].items[0].x_T)
    assert kept.takes[1] == replace(run.takes[1], settings=run.settings)
    assert kept.edit and kept.edit.regions == edit.regions
    assert kept.edit.recording is more.recording


def test_a_run_with_a_clip_that_nothing_was_asked_of_is_refused_before_any_work(
    model: SmallModel,
) -> None:
    asked: list[Any] = [Intensity([-30, -20]), None]
    run = run_of(generate(model, "calm", asked, duration=1.0, steps=2), asked)
    with pytest.raises(InputError, match="nothing was asked"):
        resume(model, run, callback=lambda _: pytest.fail("a search began"))


def test_clips_that_a_resumed_search_did_not_come_to_keep_their_settings(
    model: SmallModel, tmp_path: Path
) -> None:
    asked = Intensity([-30, -20])
    made = generate(model, "calm", asked, seed=[0, 1], duration=1.0, steps=5, sampler="ddim")
    run = run_of(made, asked)
    more = resume(model, run, callback=lambda _: True, steps=3, surrogate_steps=3, iterations=1)
    assert isinstance(more, Result)
    assert len(more) == 1
    save_run(tmp_path / "run", resumed(run, more))
    kept = load_run(tmp_path / "run")
    assert [take.settings for take in kept.takes] == [None, made.settings]
    assert (kept.settings.steps, kept.takes[1].settings) == (3, made.settings)
    (again,) = vary(model, kept, eta=0.0).results
    assert torch.allclose(again.audio[1], made.audio[1], atol=1e-5)
    assert torch.allclose(again.audio[0], more.audio[0], atol=1e-5)


def test_variations_that_are_done_outlive_an_interrupt(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(generate(model, "calm", duration=1.0, steps=2))
    count = 0

    def third(*args: Any) -> Result:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return packed(*args)

    monkeypatch.setattr(import_module("ditto_music.vary"), "packed", third)
    assert len(vary(model, run, count=4).results) == 2


def test_inversion_beats_noising_and_ddim(model: SmallModel) -> None:
    sound = music(1.0, 44_100, 2)
    found = invert(
        model, sound, "calm", steps=5, surrogate_steps=5, iterations=12, tolerance=0.0,
        guidance=3.0,
    )  # fmt: skip
    assert found.error < found.inverted < found.noised
    assert found.result.audio.shape[-1] == round(sound.seconds * model.sample_rate)
    made = latent_of(model, sound.audio(), sound.sample_rate)
    error = float((found.result.items[0].latent - made).square().mean())
    assert error == pytest.approx(found.error, rel=1e-3)
    with pytest.raises(InputError, match=r"lasts 0\.30 s"):
        invert(model, music(0.3, 24_000, 1), "", **FAST)
    silent = replace(sound, samples=np.zeros_like(sound.samples))
    with pytest.raises(InputError, match="silent"):
        invert(model, silent, "", **FAST)
