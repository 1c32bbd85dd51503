// A piano roll for one voice: notes are placed, moved, lengthened, hummed or brought as MIDI.

import { clamp, el, onWidth, say, short, svg, ticks } from "./dom.js";
import { blip, tune } from "./sound.js";
import { Recorder } from "./record.js";
import { Undo } from "./undo.js";

const LOW = 48, HIGH = 84, ROW = 8, LEFT = 34, BOTTOM = 20, RIGHT = 12;
const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const BLACK = [1, 3, 6, 8, 10];
const HEIGHT = (HIGH - LOW + 1) * ROW + BOTTOM;

export class Roll {
  /** read: a file to notes, a promise; failed: called with a message. */
  constructor(place, { seconds, changed, read, failed }) {
    Object.assign(this, { seconds, changed, read, failed });
    this.notes = [];
    this.asking = false; // for the microphone
    this.step = 0.5;
    this.cursor = { time: 0, pitch: 60 };
    this.width = 400;
    this.picture = svg("svg", {
      class: "canvas", tabindex: 0, role: "application", "aria-label":
        "Piano roll. Arrow keys move, space places or removes a note, shift with left or right changes its length.",
      onkeydown: (event) => this.key(event),
      onpointerdown: (event) => this.begin(event),
      ondrop: (event) => this.bring(event.dataTransfer.files[0]),
    });
    this.hum = el("button", { type: "button", onclick: () => this.record() }, "● Hum it");
    this.file = el("input", { type: "file", class: "hidden-input", id: "tune-file", accept: ".mid,.midi,audio/*", onchange: () => this.bring(this.file.files[0]) });
    this.grid = el("select", { "aria-label": "Length of a new note", onchange: () => { this.step = +this.grid.value; this.draw(); } },
      ...[1, 0.5, 0.25, 0.125].map((one) => el("option", { value: one, selected: one === 0.5 }, `${one} s`)));
    this.undo = new Undo((notes) => this.put(notes));
    place.append(this.picture, el("div", { class: "tools" },
      this.hum,
      el("label", { class: "button", for: "tune-file" }, "MIDI or audio file"), this.file,
      el("span", { class: "end" },
        this.grid,
        el("button", { type: "button", "aria-label": "Hear the notes", onclick: () => tune(this.heard) }, "▶"),
        this.undo.button,
        el("button", { type: "button", onclick: () => this.set([]) }, "Clear"),
      ),
    ));
    onWidth(this.picture, (width) => {
      this.width = width;
      this.draw();
    });
  }

  /** Notes [start, stop, pitch], one at a time, moved by octaves until they are on the roll. */
  set(notes) {
    this.change(monophonic(notes.map(([start, stop, pitch]) => {
      if (pitch < LOW) pitch += 12 * Math.ceil((LOW - pitch) / 12);
      if (pitch > HIGH) pitch -= 12 * Math.ceil((pitch - HIGH) / 12);
      return [start, stop, pitch];
    })));
  }

  /** Other notes, with a step back to those `before`. */
  change(notes, before = this.notes) {
    this.undo.keep(before);
    this.put(notes);
  }

  put(notes) {
    this.notes = notes;
    this.draw();
    this.changed();
  }

  /** The notes that lie in the clip, what goes beyond it cut off; the first of all notes, in their order. */
  get heard() {
    return this.notes.map(([a, b, p]) => [a, Math.min(b, this.seconds), p]).filter(([a, b]) => b - a > 0.02);
  }

  stretch(seconds) {
    this.seconds = seconds;
    this.cursor.time = Math.min(this.cursor.time, seconds - this.step);
    this.draw();
  }

  x(time) {
    return LEFT + (time / this.seconds) * (this.width - LEFT - RIGHT);
  }

  y(pitch) {
    return (HIGH - pitch) * ROW;
  }

  at(event) {
    const box = this.picture.getBoundingClientRect();
    return {
      time: clamp(((event.clientX - box.left - LEFT) / (this.width - LEFT - RIGHT)) * this.seconds, 0, this.seconds),
      pitch: clamp(HIGH - Math.floor((event.clientY - box.top) / ROW), LOW, HIGH),
    };
  }

  snap(time) {
    return Math.round(Math.floor(time / this.step + 1e-6) * this.step * 1000) / 1000;
  }

  /** Tap an empty place: a note, longer if dragged. Tap a note: gone; drag it: moved, or longer by its end. */
  begin(event) {
    if (event.button) return;
    event.preventDefault();
    this.picture.focus({ preventScroll: true });
    const from = this.at(event), before = this.notes;
    const index = event.target.dataset?.note;
    let others = before, note, resize = true, moved = false;
    if (index === undefined) {
      const start = Math.min(this.snap(from.time), Math.max(0, this.seconds - this.step));
      note = [start, Math.min(this.seconds, start + this.step), from.pitch];
      if (event.pointerType !== "touch") blip(from.pitch);  // a finger may go on to scroll the page
    } else {
      note = this.heard[index];
      others = before.filter((_, i) => i !== +index);
      resize = this.x(note[1]) - this.x(from.time) < 10 && this.x(note[1]) - this.x(note[0]) > 16;
    }
    const original = note;
    const show = () => {
      this.notes = monophonic([...others, note], note);
      this.draw();
    };
    if (index === undefined) show();
    this.picture.setPointerCapture(event.pointerId);
    const move = (next) => {
      const to = this.at(next);
      if (!moved && Math.abs(this.x(to.time) - this.x(from.time)) < 5 && to.pitch === from.pitch) return;
      moved = true;
      if (resize) note = [note[0], clamp(this.snap(to.time) + this.step, note[0] + this.step / 2, this.seconds), note[2]];
      else {
        const length = original[1] - original[0];
        const start = clamp(this.snap(original[0] + to.time - from.time + this.step / 2), 0, this.seconds - length);
        if (to.pitch !== note[2]) blip(to.pitch);
        note = [start, start + length, to.pitch];
      }
      show();
    };
    const end = ({ type }) => {
      held.abort();
      if (type === "pointercancel") {  // the finger scrolls the page
        this.notes = before;
        return this.draw();
      }
      if (index === undefined && event.pointerType === "touch") blip(from.pitch);
      this.change(index === undefined || moved ? this.notes : others, before);
    };
    const held = new AbortController();
    for (const [name, what] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.picture.addEventListener(name, what, held);
  }

  key(event) {
    const { cursor } = this;
    const here = this.notes.find(([a, b, p]) => p === cursor.pitch && a <= cursor.time + 1e-6 && cursor.time < b - 1e-6);
    const last = this.snap(this.seconds - 1e-3);
    if (event.shiftKey && here && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      const by = event.key === "ArrowRight" ? this.step : -this.step;
      const other = [here[0], clamp(Math.min(here[1], this.seconds) + by, here[0] + this.step / 2, this.seconds), here[2]];
      this.set(monophonic([...this.notes.filter((one) => one !== here), other], other));
      say(`${short(other[1] - other[0])} seconds long`);
    } else if (event.key === "ArrowRight") cursor.time = Math.min(last, cursor.time + this.step);
    else if (event.key === "ArrowLeft") cursor.time = Math.max(0, cursor.time - this.step);
    else if (event.key === "ArrowUp") cursor.pitch = Math.min(HIGH, cursor.pitch + 1);
    else if (event.key === "ArrowDown") cursor.pitch = Math.max(LOW, cursor.pitch - 1);
    else if (event.key === " " || event.key === "Enter" || event.key === "Delete") {
      if (here) this.set(this.notes.filter((one) => one !== here));
      else if (event.key !== "Delete") {
        const note = [cursor.time, Math.min(this.seconds, cursor.time + this.step), cursor.pitch];
        blip(cursor.pitch);
        this.set(monophonic([...this.notes, note], note));
      }
      say(here ? `${named(cursor.pitch)} removed` : `${named(cursor.pitch)} placed at ${short(cursor.time)} seconds`);
      event.preventDefault();
      return;
    } else return;
    event.preventDefault();
    if (!event.shiftKey) say(`${named(cursor.pitch)}, ${short(cursor.time)} seconds${here ? ", a note" : ""}`);
    this.draw();
  }

  async record() {
    if (this.recorder) {
      const wav = this.recorder.stop();
      this.recorder = null;
      this.hum.textContent = "● Hum it";
      await this.bring(new File([wav], "hummed.wav"));
      return;
    }
    if (this.asking) return;
    this.asking = true;
    this.failed("");
    try {
      this.recorder = await Recorder.start();
      this.hum.textContent = "■ Stop humming";
      say("Recording");
    } catch (error) {
      this.failed(error.message);
    }
    this.asking = false;
  }

  async bring(file) {
    if (!file) return;
    this.failed("");
    try {
      const notes = await this.read(file);
      this.set(notes);
      say(`${notes.length} notes found`);
    } catch (error) {
      this.failed(error.message);
    }
    this.file.value = "";
  }

  draw() {
    const { width, cursor } = this;
    const rows = Array.from({ length: HIGH - LOW + 1 }, (_, i) => HIGH - i);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.picture.setAttribute("height", HEIGHT);
    const count = Math.floor(this.seconds / this.step + 1e-6);
    this.picture.replaceChildren(
      ...rows.filter((pitch) => BLACK.includes(pitch % 12)).map((pitch) =>
        svg("rect", { class: "black", x: LEFT, y: this.y(pitch), width: width - LEFT - RIGHT, height: ROW })),
      ...rows.filter((pitch) => pitch % 12 === 0).flatMap((pitch) => [
        svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: this.y(pitch) + ROW, y2: this.y(pitch) + ROW }),
        svg("text", { x: LEFT - 6, y: this.y(pitch) + ROW, "text-anchor": "end" }, `C${pitch / 12 - 1}`),
      ]),
      ...Array.from({ length: count + 1 }, (_, i) => i * this.step).map((time) =>
        svg("line", { class: "grid", x1: this.x(time), x2: this.x(time), y1: 0, y2: HEIGHT - BOTTOM })),
      ...ticks(this.seconds, this.width / 50).map((time) => svg("text", { x: this.x(time), y: HEIGHT - 5, "text-anchor": "middle" }, `${short(time, 1)} s`)),
      ...this.heard.map(([start, stop, pitch], index) => svg("rect", {
        class: "note", "data-note": index, x: this.x(start) + 0.5, y: this.y(pitch) - 2,
        width: Math.max(4, this.x(stop) - this.x(start) - 1), height: ROW + 4,
      })),
      svg("rect", { class: "cursor", x: this.x(cursor.time), y: this.y(cursor.pitch) - 1, width: this.x(this.step) - this.x(0), height: ROW + 2 }),
    );
  }
}

const named = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** Notes in order, each cut where the next begins; `kept` wins over what it lies on. */
function monophonic(notes, kept = null) {
  let rest = notes.filter((one) => one !== kept);
  if (kept) {
    rest = rest.flatMap(([a, b, p]) => {
      if (b <= kept[0] + 1e-6 || a >= kept[1] - 1e-6) return [[a, b, p]];
      return a < kept[0] - 1e-6 ? [[a, kept[0], p]] : [];
    });
    rest.push(kept);
  }
  rest.sort((a, b) => a[0] - b[0]);
  return rest.map(([a, b, p], i) => [a, i + 1 < rest.length ? Math.min(b, rest[i + 1][0]) : b, p]).filter(([a, b]) => b - a > 0.02);
}
