"""What commands do when all is well."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import soundfile
import torch
from conftest import QUICK, RATE, Ditto

from ditto_music import Guidance, generate, load_model, optimize
from ditto_music.baselines import METHODS
from ditto_music.cli.app import app
from ditto_music.cli.methods import NAMES
from ditto_music.cli.pieces import Pieces
from ditto_music.cli.say import say
from ditto_music.cli.shared import Shared
from ditto_music.descent import DESCENTS
from ditto_music.models import PUBLIC, REGISTRY
from ditto_music.optimize import Search
from ditto_music.result import Result
from ditto_music.sampling import Projection

COMMANDS = (
    *("generate", "control", "inpaint", "outpaint", "loop"),
    *("invert", "vary", "resume", "compare", "study", "evaluate", "models"),
)
RISE = ("--intensity", "-35:-14")
LOOP = str(Path(__file__).parents[1] / "recordings" / "loop_compus.flac")


def control(*more: str) -> tuple[str, ...]:
    return ("control", "calm piano", *more, *QUICK)


def test_generate_writes_the_audio_and_prints_one_line(ditto: Ditto, folder: Path) -> None:
    told = ditto("generate", "calm piano", "-o", "out.wav", *QUICK[:6])
    assert told.status == 0
    assert re.fullmatch(r"out\.wav: 1\.00 s, seed 0, made in \d+\.\d s\n", told.out)
    info = soundfile.info(folder / "out.wav")
    assert (info.frames, info.samplerate) == (RATE, RATE)
    assert [path.name for path in folder.iterdir()] == ["out.wav"]


def test_generate_says_which_flags_do_nothing(ditto: Ditto) -> None:
    told = ditto("generate", "calm", "-o", "out.wav", *QUICK)
    assert "does not search: --iterations, --surrogate-steps has no effect" in told.err


def test_control_prints_the_error_before_and_after(ditto: Ditto) -> None:
    told = ditto(*control(*RISE, "-o", "out.wav", "--report", "out.json"))
    assert told.status == 0
    first, second = told.out.splitlines()
    assert first == "out.wav: 1.00 s, seed 0"
    match = re.fullmatch(
        r"intensity: (\S+) dB -> (\S+) dB RMS error, 3 iterations, \d+\.\d s", second
    )
    assert match
    report = json.loads(Path("out.json").read_text())
    assert float(match[1]) == pytest.approx(report["loss"]["history"][0] ** 0.5, abs=0.05)
    assert float(match[2]) == pytest.approx(
        report["controls"]["intensity"]["rms_error_db"], abs=0.05
    )


def test_control_by_shape_reads_as_a_correlation(ditto: Ditto) -> None:
    told = ditto(*control(*RISE, "--intensity-loss", "correlation", "-o", "out.wav"))
    assert re.search(r"^intensity: -?\d\.\d\d -> -?\d\.\d\d correlation, 3 iter", told.out, re.M)


def test_control_by_a_melody_reads_as_a_share_of_frames(ditto: Ditto) -> None:
    tune = ("--melody", "C4:0.5 E4:0.5", "--melody-transpose", "-2", "--melody-stretch", "fit")
    told = ditto(*control(*tune, "-o", "out.wav", "--report", "out.json"))
    assert told.status == 0, told.err
    match = re.search(r"^melody: \d+% -> (\d+)% of frames, 3 iterations", told.out, re.M)
    assert match
    report = json.loads(Path("out.json").read_text())
    assert int(match[1]) == round(100 * report["controls"]["melody"]["accuracy"])
    assert re.search(r"iteration 1/3: loss \S+, melody \d+% of frames", told.err)


@pytest.mark.parametrize(
    ("flag", "value", "line", "metric"),
    [
        ("rhythm", LOOP, r"-?\d\.\d\d -> (-?\d\.\d\d) correlation", "correlation"),
        ("tempo", "280", r"\d+ -> (\d+) bpm", "bpm"),
        (
            "brightness",
            "500:2000",
            r"\d\.\d\d -> (\d\.\d\d) octaves RMS error",
            "rms_error_octaves",
        ),
        ("match-spectrum", LOOP, r"\d+\.\d -> (\d+\.\d) dB RMS error", "rms_error_db"),
        ("style", "jazz", r"\d\.\d\d -> (\d\.\d\d) probability of jazz", "probability"),
        ("style", LOOP, r"-?\d\.\d\d -> (-?\d\.\d\d) similarity", "similarity"),
    ],
)
def test_control_reads_in_the_units_of_each(
    ditto: Ditto, flag: str, value: str, line: str, metric: str
) -> None:
    told = ditto(*control(f"--{flag}", value, "-o", "out.wav", "--report", "out.json"))
    assert told.status == 0, told.err
    match = re.search(rf"^{flag}: {line}, 3 iterations", told.out, re.M)
    assert match, told.out
    figure = json.loads(Path("out.json").read_text())["controls"][flag][metric]
    assert float(match[1]) == pytest.approx(figure, abs=0.51 if metric == "bpm" else 0.051)


def test_control_by_a_form_reads_as_a_squared_error(ditto: Ditto) -> None:
    told = ditto(*control("--structure", "A:0.5 B", "-o", "out.wav", "--report", "out.json"))
    assert told.status == 0, told.err
    match = re.search(r"^structure: \d\.\d\d -> (\d\.\d\d) MSE, 3 iterations", told.out, re.M)
    assert match
    report = json.loads(Path("out.json").read_text())["controls"]["structure"]
    assert float(match[1]) == pytest.approx(report["mse"], abs=0.005)
    assert "contrast" in report


def test_control_without_iterations_only_measures(ditto: Ditto) -> None:
    told = ditto(*control(*RISE, "-o", "out.wav"), "--iterations=0")
    assert told.status == 2  # given twice
    told = ditto("control", "x", *RISE, "-o", "out.wav", *QUICK[:6], "--iterations=0")
    assert re.search(r"^intensity: \S+ dB RMS error, 0 iterations", told.out, re.M)


def test_the_report_holds_what_design_promises(ditto: Ditto) -> None:
    argv = control(*RISE, "-o", "out.wav", "--report", "out.json", "--plot", "out.png")
    ditto(*argv)
    report = json.loads(Path("out.json").read_text())
    assert report["command"] == "control"
    assert report["out"] == "out.wav"
    assert report["argv"] == list(argv)
    assert report["stopped"] == "iterations"
    assert report["clipped"] == 0
    promised = "version model method prompt seed duration sample_rate steps iterations loss seconds"
    assert set(promised.split()) < set(report)
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


def test_a_value_may_begin_with_a_minus_in_either_spelling(ditto: Ditto) -> None:
    spaced = ditto(*control("--intensity", "-35:-14", "-o", "a.wav", "--lr", "1e-1"))
    joined = ditto(*control("--intensity=-35:-14", "--out=b.wav", "--lr=1e-1"))
    assert spaced.status == joined.status == 0
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()


def test_the_same_seed_gives_the_same_bytes(ditto: Ditto) -> None:
    for name in ("a.flac", "b.flac"):
        assert ditto("generate", "calm", "--seed", "7", "-o", name, *QUICK[:6]).status == 0
    ditto("generate", "calm", "--seed", "8", "-o", "c.flac", *QUICK[:6])
    a, b, c = (Path(f"{name}.flac").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("spelling", [("--seed", "-1"), ("--seed=-1",)])
def test_a_drawn_seed_is_reported_and_brings_the_music_back(
    ditto: Ditto, spelling: tuple[str, ...]
) -> None:
    told = ditto("generate", "calm", *spelling, "-o", "a.wav", "--report", "a.json", *QUICK[:6])
    seed = json.loads(Path("a.json").read_text())["seed"]
    assert seed >= 0
    assert f"seed {seed}," in told.out
    ditto("generate", "calm", "--seed", str(seed), "-o", "b.wav", *QUICK[:6])
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()


def test_a_prompt_may_begin_with_a_minus_after_two(ditto: Ditto) -> None:
    told = ditto("generate", "-o", "a.wav", "--report", "a.json", *QUICK[:6], "--", "-calm")
    assert told.status == 0
    assert json.loads(Path("a.json").read_text())["prompt"] == "-calm"


def test_inpaint_redoes_regions_and_leaves_the_rest_alone(ditto: Ditto, take: Path) -> None:
    told = ditto(
        *("inpaint", "take.wav", "calm piano", "--from", "2", "--to", "2.5"),
        *("--from", "0.5", "--to", "1", "-o", "out.wav"),
        *("--report", "out.json", "--plot", "out.svg", *QUICK[:2], *QUICK[4:]),
    )
    assert told.status == 0, told.err
    first, *joins = told.out.splitlines()
    assert first.startswith("out.wav: 3.00 s, new from 0.5 to 1 s, 2 to 2.5 s, seed 0, made in ")
    assert [line.split(":")[0] for line in joins] == [
        f"join at {seconds} s" for seconds in ("0.5", "1", "2", "2.5")
    ]
    old, _ = soundfile.read(take, dtype="int16")
    new, rate = soundfile.read("out.wav", dtype="int16")
    changed = np.flatnonzero((old != new).any(1)) / rate
    assert rate == RATE
    assert new.shape == old.shape
    assert changed.size
    assert (((changed >= 0.5) & (changed < 1)) | ((changed >= 2) & (changed < 2.5))).all()
    report = json.loads(Path("out.json").read_text())
    assert report["command"] == "inpaint"
    assert [seam["seconds"] for seam in report["seams"]] == [0.5, 1, 2, 2.5]
    assert "<svg" in Path("out.svg").read_text()
    assert "region 1/2, iteration 1/3" in told.err


@pytest.mark.parametrize(
    "argv",
    [
        ("inpaint", "take.wav", "--from", "1", "--to", "2"),
        ("outpaint", "../{folder}/take.wav", "--seconds", "1"),
        ("loop", "take.wav"),
        ("invert", "take.wav"),
        ("control", "calm", "--match-spectrum", "take.wav"),
    ],
)
def test_what_is_read_is_never_written_over(
    ditto: Ditto, take: Path, argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ditto_music.models.load_model", None)
    given = [part.format(folder=take.parent.name) for part in argv]
    told = ditto(*given, "-o", "take.wav", "--model", "debug")
    told.refused("take.wav: is read and would be written over: write to another name")


def test_models_lists_every_model_in_columns(ditto: Ditto) -> None:
    told = ditto("models")
    assert told.status == 0
    heading, *rows = (line.split("\t") for line in told.out.splitlines())
    assert heading[:4] == ["name", "here", "size", "licence"]
    assert heading[4:] == ["in memory", "gated", "revision", "what it is"]
    assert [row[0] for row in rows] == [entry.name for entry in (*REGISTRY, *PUBLIC)]
    assert ["debug", "yes", "-", "MIT"] in [row[:4] for row in rows]


def test_models_draws_a_table_on_a_terminal(ditto: Ditto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    told = ditto("models")
    assert "debug" in told.out
    assert "\t" not in told.out


def test_quiet_says_nothing_but_results(ditto: Ditto) -> None:
    told = ditto(*control(*RISE, "-o", "out.wav", "--quiet"))
    assert told.err == ""
    assert len(told.out.splitlines()) == 2


def test_clipped_samples_are_warned_of(ditto: Ditto, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Result.save
    monkeypatch.setattr(Result, "save", lambda self, path: save(self, path) + 12)
    told = ditto("generate", "calm", "-o", "out.wav", *QUICK[:6])
    assert told.status == 0
    assert "warning: out.wav: 12 samples were too loud" in told.err
    assert "clipped: quieter by control with --intensity=-20:-20" in told.err
    told = ditto(*control(*RISE, "-o", "out.wav"))
    assert "clipped: quieter by --ceiling=-16 or --intensity=-20:-20" in told.err
    assert "12 samples" not in ditto("generate", "x", "-o", "o.wav", *QUICK[:6], "--quiet").err


def test_words_beyond_what_the_model_reads_are_warned_of(ditto: Ditto, take: Path) -> None:
    long = "slow calm piano jazz, drums, fast techno, 120 bpm"
    told = ditto(
        *("inpaint", str(take), long, "--from", "1", "--to", "2", "-o", "out.wav"),
        *(*QUICK[:2], *QUICK[4:]),
    )
    assert told.status == 0, told.err
    assert told.err.count("ditto-music: warning: the prompt is longer") == 1
    assert "'bpm' and what follows" in told.err
    assert ditto("generate", long, "-o", "out.wav", *QUICK[:6], "--quiet").err == ""


def test_every_method_is_called_like_optimize() -> None:
    assert tuple(METHODS) == NAMES
    wanted = set(inspect.signature(optimize).parameters) - set(Search.__annotations__)
    for name, method in METHODS.items():
        parameters = inspect.signature(method.solve).parameters
        assert set(parameters) >= wanted, name
        assert name == "ditto" or parameters["search"].kind == inspect.Parameter.VAR_KEYWORD, name


def test_defaults_are_those_of_the_library() -> None:
    shared, model = Shared(), load_model("debug")
    parameters = inspect.signature(optimize).parameters
    search = {**shared.search(model), "duration": shared.duration}
    assert search == {name: parameters[name].default for name in search}
    loading = inspect.signature(load_model).parameters
    for name, value in (("name", shared.model), ("device", shared.device), ("dtype", shared.dtype)):
        assert loading[name].default == value


def test_every_way_down_can_be_asked_for() -> None:
    choices = get_args(get_args(get_type_hints(Shared, include_extras=True)["optimizer"])[0])
    assert set(choices) == set(DESCENTS)


def test_guidance_not_asked_for_is_the_models_own() -> None:
    own = Guidance(4.0, (0.2, 0.7), 0.5)
    assert Shared().guiding(own) == own
    assert Shared().search(load_model("debug"))["guidance"] is None
    assert Shared(guidance_threshold=0.9).search(load_model("debug"))["guidance"] is not None
    assert Shared(guidance=2.0).guiding(own) == Guidance(2.0, (0.2, 0.7), 0.5)
    asked = Shared(guidance_interval="0:1", guidance_rescale=0.0, guidance_threshold=0.99)
    assert asked.guiding(own) == Guidance(4.0, threshold=0.99)
    ruled = Guidance(7.0, projection=Projection())
    assert Shared(guidance=3.0).guiding(ruled) == Guidance(3.0, projection=Projection())
    plainly = Shared(plain_guidance=True)
    assert plainly.guiding(ruled) == Guidance(7.0)
    assert plainly.search(load_model("debug"))["guidance"] is not None


def test_the_report_says_the_models_own_guidance() -> None:
    model = load_model("debug")
    model.guidance = Guidance(4.0, (0.2, 0.7))
    said = generate(model, "calm", duration=0.7, steps=3)
    assert said.settings.guiding == model.guidance
    plain = generate(model, "calm", duration=0.7, steps=3, guidance=4.0)
    assert plain.settings.guiding == Guidance(4.0)
    assert not torch.equal(said.audio, plain.audio)


def test_help_begins_with_what_is_used_first(ditto: Ditto) -> None:
    told = ditto("--help").out
    places = [told.index(f" {name} ") for name in ("generate", "control", "inpaint", "study")]
    assert places == sorted(places)


@pytest.mark.parametrize("command", [*COMMANDS])
def test_help_explains_every_flag_and_gives_an_example(ditto: Ditto, command: str) -> None:
    told = ditto(command, "--help")
    assert told.status == 0
    assert told.err == ""
    assert f"    ditto-music {command}" in told.out
    arguments = app[command].assemble_argument_collection()
    for argument in arguments.filter_by(show=True):
        assert argument.parameter.help, argument.name


def test_help_lists_the_commands(ditto: Ditto) -> None:
    told = ditto("--help")
    assert told.status == 0
    for command in COMMANDS:
        assert f" {command} " in told.out
    assert ditto().out == told.out


@pytest.mark.parametrize("again", ["resume", "vary"])
def test_a_saved_runs_model_is_loaded_as_asked(
    ditto: Ditto, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Its very weights with the flags of public models; whatever is downloaded is told first."""
    ditto(*control(*RISE, "-o", "out.wav", "--save-run", "run"))
    said = json.loads(Path("run/run.json").read_text())
    of_hub = {"model": "some/model", "revision": "0" * 40}
    Path("run/run.json").write_text(json.dumps(said | of_hub))
    asked: list[dict[str, object]] = []

    def load(name: str, **how: object) -> object:
        asked.append({"name": name} | how)
        return load_model("debug")

    monkeypatch.setattr("ditto_music.models.load_model", load)
    flags = ("-o", "more.wav", "--iterations", "1") if again == "resume" else ("-o", "takes")
    assert ditto(again, "run", *flags, "--offload", "none", "--dtype", "float32").status == 0
    (how,) = asked
    assert how["name"] == "some/model@" + "0" * 40
    assert (how["offload"], how["dtype"]) == ("none", "float32")
    assert how["notice"] is say


def test_the_studio_loads_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def load(name: str, **how: object) -> object:
        asked.append(how)
        return load_model(name)

    monkeypatch.setattr("ditto_music.cli.pieces.load_model", load)
    Pieces(dtype="float32", offload="none").load("debug")
    assert asked == [{"device": "cpu", "dtype": "float32", "offload": "none", "notice": say}]
