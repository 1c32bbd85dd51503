"""How edits of real recordings join and sound: ``python -m benchmarks.edits``.

Each recording gets a hole in its middle redone, an extension and a loop; plain fillings of the same
room, joined the same way, stand beside them: silence, the stretch before copied on (a cross-faded
repeat), the model's own sample left uncontrolled, and where the recording had music there, that
through the codec: no filling of this model can be closer. Outside the room every sample must be the
user's; a join's change is held against the changes inside the music; what is new is held against
what is old by the Frechet distance of MusiCNN embeddings, and against that of another seed by their
cosine. Resumable: what is done with the same settings stays done.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from benchmarks.kept import keep, kept
from ditto_music import generate, load_model
from ditto_music.audio import Recording, read_recording, write_recording
from ditto_music.controls.references import mono
from ditto_music.editing import measure_seam
from ditto_music.editing.beats import beat_seconds
from ditto_music.editing.describe import describe
from ditto_music.editing.extend import room_to_extend
from ditto_music.editing.filling import Filled, Task, Wish, fill, latent_of, worded
from ditto_music.editing.joins import rms
from ditto_music.editing.loop import plan_loop, room_to_loop
from ditto_music.editing.windows import Window, window_of
from ditto_music.evaluation.frechet import frechet_distance
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import SAMPLE_RATE, embedding
from ditto_music.models import revision
from ditto_music.protocols import Model
from training.data.dataset import Music

SAMPLES = Path("/usr/share/sonic-pi/samples")  # Debian's sonic-pi-samples, CC0
OURS = Path(__file__).parents[1] / "tests" / "recordings"
NAMES = (  # drones, plucked and struck notes, percussion, grooves
    *("ambi_drone", "ambi_glass_hum", "ambi_lunar_land", "bass_voxy_c"),
    *("guit_e_fifths", "guit_em9", "perc_bell", "drum_roll"),
    *("loop_amen_full", "loop_compus", "loop_garzul", "loop_mika"),
    *("loop_safari", "loop_tabla"),
)
HOLE, LONGER, OVERLAP, PIECE = 1.5, 4.0, 3.0, 1.5  # seconds
MORE = (("match", 3), ("iterations", 0), ("seconds", 1), ("diversity", 2))  # and their digits

Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What may be asked of the edits."""

    seed: int
    guidance: float | None
    fresh: float | None


@dataclass(frozen=True)
class Room:
    """A recording with room for new music, and how that is looked at."""

    kind: str
    recording: Recording
    window: Window
    level: float | None = None
    source: tuple[int, int] | None = None

    @property
    def edges(self) -> list[float]:
        """Seconds of the joins."""
        rate = self.recording.sample_rate
        inside = [e for e in (self.window.start, self.window.stop) if e < self.recording.frames]
        return [edge / rate for edge in inside]


def rooms(recording: Recording, longest: float) -> Iterator[Room]:
    """The three edits of a recording."""
    rate = recording.sample_rate
    start = 0.45 * recording.seconds
    hole = (start, min(start + HOLE, recording.seconds - 1))
    yield Room("inpaint", recording, window_of(recording, hole, longest))
    reach = min(round(OVERLAP * rate), recording.frames)
    longer = room_to_extend(recording, round(LONGER * rate), reach)
    yield Room("outpaint", *longer, rms(recording.audio().mean(0)), (0, recording.frames))
    plan = plan_loop(recording, None, beat_seconds(recording), longest - 2)
    circle, window, _ = room_to_loop(recording, plan, longest)
    yield Room("loop", circle, window)


def copied(room: Room) -> torch.Tensor:
    """A clip (channels, N) of the window in which the stretch before the hole goes on."""
    window, hole = room.window, room.window.hole
    audio = room.recording.audio(window.begin, window.end)
    length = hole.stop - hole.start
    known = room.recording.audio(max(0, window.start - length), window.start)
    repeats = -(-length // known.shape[1])
    clip = audio.copy()
    clip[:, hole] = np.tile(known, repeats)[:, -length:]
    return torch.from_numpy(clip)


def fillings(model: Model, room: Room, how: Settings) -> Iterator[tuple[str, Recording, Row]]:
    """Each way to fill the room: its name, the recording, and more figures."""
    window, rate = room.window, room.recording.sample_rate
    words = describe(room.recording, window.begin, window.start)
    fresh, search = worded(None, how.fresh, {"guidance": how.guidance})

    wish = Wish(level=room.level, within=True)

    def filled(seed: int) -> Filled:
        return fill(
            model, room.recording, window, words, seed=seed, wish=wish, fresh=fresh,
            source=room.source, **search,
        )  # fmt: skip

    done, other = filled(how.seed), filled(how.seed + 1)
    item = done.result.items[0]
    hole = window.start, window.stop
    pieces = [torch.tensor(heard(each.recording.part(*hole))) for each in (done, other)]
    more = {
        "match": item.final["match"],
        "iterations": len(item.history),
        "seconds": done.result.seconds,
        "peak_memory_bytes": done.result.peak_memory_bytes,
        "diversity": 1 - float(cosine_similarity(*pieces, dim=0)),
    }
    yield "ditto", done.recording, more
    seconds = window.frames / rate
    free = generate(model, words, seed=how.seed, duration=seconds).audio[0]
    task: Task = done.task
    yield "uncontrolled", task.put(room.recording, free, model.sample_rate)[0], {}
    yield "the stretch before, again", task.put(room.recording, copied(room), rate)[0], {}
    if room.kind == "inpaint":
        clip = through_codec(model, room.recording.part(window.begin, window.end))
        yield (
            "the true music by the codec",
            task.put(room.recording, clip, model.sample_rate)[0],
            {},
        )
    silence = np.zeros((room.recording.channels, window.stop - window.start))
    yield "silence", room.recording.with_region(window.start, silence), {}


@torch.no_grad()
def through_codec(model: Model, recording: Recording) -> torch.Tensor:
    """A recording as the model's clip (channels, N)."""
    return model.decode(latent_of(model, recording.audio(), recording.sample_rate)[None])[0]


def measured(room: Room, filling: str, new: Recording, more: Row) -> Row:
    """Joins, samples that differ outside, and what is new as taggers hear it."""
    rate, window = new.sample_rate, room.window
    hole = (window.start / rate, window.stop / rate)
    seams = [measure_seam(new, edge, [hole]) for edge in room.edges]
    same = (room.recording.samples == new.samples).all(1)
    same[window.start : window.stop] = True
    return {
        "edit": room.kind,
        "filling": filling,
        "flux_rank": [seam.flux_rank for seam in seams],
        "jump_rank": [seam.jump_rank for seam in seams],
        "flux_ratio": [seam.flux / seam.inside_flux for seam in seams],
        "differing": int((~same).sum()),
        "heard": heard(new.part(window.start, window.stop)),
        **more,
    }


def untouched(model: Model, recording: Recording) -> list[Row]:
    """Stretches of the recording as they are and through the codec."""
    rate = recording.sample_rate
    size = round(PIECE * rate)
    rows: list[Row] = []
    for start in range(0, recording.frames - size + 1, size):
        piece = recording.part(start, start + size)
        back = through_codec(model, piece).numpy()
        rows += [
            {"edit": "none", "filling": "untouched", "heard": heard(piece)},
            {
                "edit": "none",
                "filling": "through the codec",
                "heard": heard(Recording.of(back, model.sample_rate, "FLOAT")),
            },
        ]
    return rows


@torch.no_grad()
def heard(piece: Recording) -> list[float]:
    """MusiCNN's embedding (200,) of a piece, at one level."""
    return embedding(levelled(mono(piece, SAMPLE_RATE)), SAMPLE_RATE)[0].tolist()


def run(model: Model, name: str, recording: Recording, how: Settings, out: Path) -> list[Row]:
    """All rows of one recording; the audio is written beside."""
    rows = untouched(model, recording)
    for room in rooms(recording, model.seconds_range[1]):
        for filling, new, more in fillings(model, room, how):
            write_recording(out / f"{name}-{room.kind}-{'-'.join(filling.split())}.wav", new)
            rows.append(measured(room, filling, new, more))
    return [{"recording": name} | row for row in rows]


def table(rows: Sequence[Row]) -> str:
    """In Markdown, a line an edit and filling, and one of all three edits where each has it."""
    lines = [
        "| edit | filling | Frechet distance | flux / inside | flux rank | jump rank | differing "
        "| match | iterations | s | diversity |",
        "|---" * 11 + "|",
    ]
    old = [row["heard"] for row in rows if row["filling"] == "untouched"]
    edits = ("inpaint", "outpaint", "loop")
    for edit in ("none", *edits, "all three"):
        kinds = dict.fromkeys(r["filling"] for r in rows if r["edit"] in (edit, "inpaint"))
        for filling in kinds:
            some = [
                row
                for row in rows
                if row["filling"] == filling
                and (row["edit"] == edit or (edit == "all three" and row["edit"] != "none"))
            ]
            if len(some) < 2 or filling == "untouched":
                continue
            if edit == "all three" and {row["edit"] for row in some} != {*edits}:
                continue
            distance = frechet_distance(old, [row["heard"] for row in some])
            cells = [f"{distance:.1f}"]
            for key in ("flux_ratio", "flux_rank", "jump_rank"):
                values = [value for row in some for value in row.get(key, [])]
                cells.append(f"{np.median(values):.2f}" if values else "")
            cells.append(str(sum(row.get("differing", 0) for row in some)))
            for key, digits in MORE:
                values = [row[key] for row in some if key in row]
                cells.append(f"{np.median(values):.{digits}f}" if values else "")
            lines.append(f"| {edit} | {filling} | {' | '.join(cells)} |")
    halves = np.random.default_rng(0).permutation(len(old))
    first, second = (np.array(old)[half] for half in np.array_split(halves, 2))
    return "\n".join(
        [*lines, "", f"Two halves of the untouched: {frechet_distance(first, second):.1f}."]
    )


def sources(args: argparse.Namespace) -> Iterator[tuple[str, Path, Callable[[], Recording]]]:
    """Names, where they are from, and recordings: those given, or the fourteen; then held-out
    renders.
    """
    folder = SAMPLES if SAMPLES.exists() else OURS
    paths: list[Path] = args.recordings or [folder / f"{name}.flac" for name in NAMES]
    for path in paths:
        if path.exists():
            yield path.stem, path, lambda path=path: read_recording(path)
    if args.data:
        music = Music(args.data)
        rng = np.random.default_rng(3)
        for number, index in enumerate(rng.permutation(music.split("held-out"))[: args.renders]):
            clip, _ = music.crop(int(index), 8.0, np.random.default_rng(number))
            yield f"render-{number}", args.data, lambda clip=clip: Recording.of(clip[None], 24_000)


def main() -> None:
    """Fill every room and print the table."""
    parser = argparse.ArgumentParser(description="Edits of real recordings and of renders.")
    parser.add_argument("recordings", nargs="*", type=Path, help=f"default: of {SAMPLES}")
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--data", type=Path, help="folder made by training.data, for renders")
    parser.add_argument("--renders", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float, help="default: the edits' own")
    parser.add_argument("--fresh", type=float, help="default: the edits' own")
    parser.add_argument("--compile", action="store_true", help="as the command's: pays from 10 on")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    parser.add_argument("--worker", type=int, default=0, help="which of them this is, from 0")
    parser.add_argument("--out", type=Path, default=Path("out/edits"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model, compiled=args.compile)
    how = Settings(args.seed, args.guidance, args.fresh)
    rows: list[Row] = []
    weights = {"model": args.model, "revision": revision(args.model)}
    shared = asdict(how) | weights | {"compile": args.compile}
    for number, (name, source, read) in enumerate(sources(args)):
        done, settings = args.out / f"{name}.json", shared | {"source": str(source)}
        made = kept(done, settings)
        if made is None:
            if number % args.workers != args.worker:
                continue
            made = run(model, name, read(), how, args.out)
            keep(done, settings, made)
            print(f"{name} done", flush=True)
        rows += made
    names = dict.fromkeys(row["recording"] for row in rows)
    print(f"\n{len(names)} recordings: {', '.join(names)}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
