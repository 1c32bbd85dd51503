// A waveform with a play head, moved by pointer or keys, and marked regions.

import { clamp, colour, el, onWidth, short } from "./dom.js";

const HEIGHT = 120, EDGE = 8, STEP = 0.5; // pixels; seconds of an arrow key

export class Wave {
  /** pick: called with the seconds that are chosen; mark: where regions are drawn by dragging, called when one is. */
  constructor(place, { label, pick, mark = null }) {
    Object.assign(this, { pick, mark });
    this.columns = [];
    this.seconds = 1;
    this.regions = [];
    this.head = 0;
    this.canvas = el("canvas", {
      role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0, height: HEIGHT,
      onpointerdown: (event) => this.begin(event),
      onkeydown: (event) => this.key(event),
    });
    this.tell();
    if (mark) this.canvas.classList.add("marks");
    place.classList.add("wave");
    place.append(this.canvas);
    onWidth(this.canvas, () => this.draw());
  }

  show(columns, seconds, regions = []) {
    Object.assign(this, { columns, seconds, regions });
    this.moveTo(0);
  }

  /** The widest stretch without a region. */
  free() {
    let [widest, from] = [[0, 0], 0];
    for (const [start, stop] of [...this.regions.toSorted((a, b) => a[0] - b[0]), [this.seconds, this.seconds]]) {
      if (start - from > widest[1] - widest[0]) widest = [from, start];
      from = Math.max(from, stop);
    }
    return widest;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * this.seconds;
  }

  begin(event) {
    if (!this.columns.length || event.button) return;
    if (!this.mark) return this.pick(this.at(event));
    event.preventDefault();
    const from = this.at(event);
    const reach = (EDGE / this.canvas.clientWidth) * this.seconds;
    let region = this.regions.find((one) => Math.abs(one[0] - from) < reach || Math.abs(one[1] - from) < reach);
    const fixed = region ? (Math.abs(region[0] - from) < reach ? region[1] : region[0]) : from;
    const before = this.regions.map((one) => [...one]);
    this.canvas.setPointerCapture(event.pointerId);
    const move = (next) => {
      const to = this.at(next);
      if (!region) {
        if (Math.abs(to - from) < reach / 2) return;
        this.regions.push((region = [from, to]));
      }
      region[0] = Math.round(Math.min(fixed, to) * 100) / 100;
      region[1] = Math.round(Math.max(fixed, to) * 100) / 100;
      this.draw();
    };
    const end = ({ type }) => {
      held.abort();
      if (type === "pointercancel") {  // the finger scrolls the page
        this.regions = before;
        this.draw();
      } else if (region) this.mark();
      else this.pick(from);
    };
    const held = new AbortController();
    for (const [name, what] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.canvas.addEventListener(name, what, held);
  }

  key(event) {
    const { head, seconds } = this;
    const moves = {
      ArrowRight: head + STEP, ArrowUp: head + STEP, ArrowLeft: head - STEP, ArrowDown: head - STEP,
      Home: 0, End: seconds,
    };
    if (!(event.key in moves) || !this.columns.length) return;
    event.preventDefault();
    this.pick(clamp(moves[event.key], 0, seconds));
  }

  moveTo(seconds) {
    this.head = seconds;
    this.tell();
    this.draw();
  }

  /** The place for those who listen, in tenths of a second. */
  tell() {
    const [head, seconds] = [short(this.head, 1), short(this.seconds, 1)];
    const told = { valuenow: head, valuemax: seconds, valuetext: `${head} of ${seconds} seconds`, disabled: !this.columns.length };
    for (const [name, value] of Object.entries(told)) this.canvas.setAttribute(`aria-${name}`, value);
  }

  draw() {
    const scale = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    if (!width) return;
    this.canvas.width = width * scale;
    this.canvas.height = HEIGHT * scale;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const x = (seconds) => (seconds / this.seconds) * width;
    const inside = (share) => this.regions.some(([a, b]) => share * this.seconds >= a && share * this.seconds <= b);
    for (const [a, b] of this.regions) {
      pen.globalAlpha = 0.18;
      pen.fillStyle = colour("new");
      pen.fillRect(x(a), 0, x(b) - x(a), HEIGHT);
      pen.globalAlpha = 1;
      pen.fillRect(x(a) - 1, 0, 2, HEIGHT);
      pen.fillRect(x(b) - 1, 0, 2, HEIGHT);
    }
    const count = this.columns.length;
    const top = Math.max(0.25, ...this.columns.map(([low, high]) => Math.max(-low, high)));
    const [old, fresh] = [colour("achieved"), colour("new")];
    this.columns.forEach(([low, high], i) => {
      pen.fillStyle = inside((i + 0.5) / count) ? fresh : old;
      const [a, b] = [(high / top) * (HEIGHT / 2 - 4), (low / top) * (HEIGHT / 2 - 4)];
      pen.fillRect((i * width) / count, HEIGHT / 2 - a, Math.max(1, width / count), Math.max(1, a - b));
    });
    pen.fillStyle = colour("ink");
    pen.fillRect(x(this.head) - 1, 0, 2, HEIGHT);
    this.canvas.dataset.head = short(this.head);
  }
}
