// A curve over time, drawn by mouse, finger or keys.

import { clamp, el, onWidth, round, say, short, steep, svg, ticks } from "./dom.js";
import { Undo } from "./undo.js";

const LEFT = 52, BOTTOM = 20, TOP = 10, RIGHT = 12, HEIGHT = 190;
const REACH = 24; // pixels: so near an end a stroke reaches it, so far aside an end's handle is none
const STILL = 3, TWICE = 400; // pixels that a press may slip; milliseconds between two of a double one

export class Curve {
  /** unit: of the values; step: of an arrow key; log: logarithmic scale; shapes: {name: [values]}. */
  constructor(place, { label, unit, low, high, step, lines, log = false, points, shapes, changed }) {
    Object.assign(this, { label, unit, low, high, step, lines, log, points, changed });
    this.seconds = points.at(-1)[0];
    this.got = null;
    this.width = 400;
    this.picture = svg("svg", { class: "canvas", role: "group", "aria-label": `${label}: a drawing over time` });
    this.tools = el("div", { class: "tools" });
    for (const [name, values] of Object.entries(shapes)) {
      this.tools.append(el("button", { type: "button", onclick: () => this.shape(values) }, name));
    }
    this.undo = new Undo((points) => this.put(points));
    this.tools.append(
      el("span", { class: "end" }, this.undo.button, el("button", { type: "button", onclick: () => this.add() }, "+ Point")),
    );
    place.append(this.picture, this.tools);
    this.picture.addEventListener("pointerdown", (event) => this.begin(event));
    steep(this.picture);
    onWidth(this.picture, (width) => {
      this.width = width;
      this.draw();
    });
  }

  shape(values) {
    this.set(values.map((value, i) => [(i * this.seconds) / (values.length - 1), value]));
  }

  /** Points [seconds, value]; throws, and keeps those there are, where it is given none. */
  set(points) {
    if (!points.length || !points.flat().every(Number.isFinite)) throw new Error("no points of a curve");
    this.change(points);
  }

  /** Other points, with a step back to those `before`. */
  change(points, before = this.points) {
    this.undo.keep(before);
    this.put(points);
  }

  put(points) {
    this.points = points;
    this.draw();
    this.changed();
  }

  stretch(seconds) {
    const longer = (points) => points.map(([time, value]) => [short3((time * seconds) / this.seconds), value]);
    this.points = longer(this.points);
    this.undo.past = this.undo.past.map(longer);
    this.seconds = seconds;
    this.got = null;
    this.draw();
  }

  x(time) {
    return LEFT + (time / this.seconds) * (this.width - LEFT - RIGHT);
  }

  y(value) {
    const at = (v) => (this.log ? Math.log(v) : v);
    const share = (at(clamp(value, this.low, this.high)) - at(this.low)) / (at(this.high) - at(this.low));
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
  }

  at(event) {
    const box = this.picture.getBoundingClientRect();
    const time = ((event.clientX - box.left - LEFT) / (this.width - LEFT - RIGHT)) * this.seconds;
    const share = clamp((HEIGHT - BOTTOM - (event.clientY - box.top)) / (HEIGHT - BOTTOM - TOP), 0, 1);
    const value = this.log ? this.low * (this.high / this.low) ** share : this.low + share * (this.high - this.low);
    return [clamp(short3(time), 0, this.seconds), this.snap(value)];
  }

  snap(value) {
    return clamp(this.log ? Math.round(value) : round(value, 0.5), this.low, this.high);
  }

  /** A stroke, or a handle that is moved; one at an end only up and down, aside it begins a stroke. */
  begin(event) {
    if (event.button) return;
    event.preventDefault();
    const before = this.points, stroke = [this.at(event)];
    let index = event.target.dataset?.index, moved = false;
    const again = index !== undefined && index === this.pressed?.index && event.timeStamp - this.pressed.timeStamp < TWICE;
    this.pressed = { index, timeStamp: event.timeStamp };
    if (again) return this.remove(+index);  // counted here, for drawing anew puts another circle under the second click
    this.picture.setPointerCapture(event.pointerId);
    const move = (next) => {
      if (!moved && Math.hypot(next.clientX - event.clientX, next.clientY - event.clientY) < STILL) return;
      moved = true;
      this.pressed = null;
      stroke.push(this.at(next));
      if (index !== undefined && !this.inner(+index) && Math.abs(next.clientX - event.clientX) > REACH) {
        index = undefined;
        this.points = before;
      }
      if (index === undefined) this.draw(this.merged(stroke));
      else this.move(+index, stroke.at(-1));
    };
    const end = ({ type }) => {
      held.abort();
      if (type === "pointercancel") {  // the finger scrolls the page
        this.points = before;
        return this.draw();
      }
      if (index !== undefined) return moved && this.change(this.points, before);
      const tolerance = this.log ? 0.02 : 0.012;
      this.change(simplified(this.merged(stroke), (p) => [p[0] / this.seconds, 1 - this.y(p[1]) / HEIGHT], tolerance));
    };
    const held = new AbortController();
    for (const [name, what] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.picture.addEventListener(name, what, held);
  }

  /** The points with a stroke in place of what lies under it. */
  merged(stroke) {
    const drawn = [...new Map(stroke)].sort((a, b) => a[0] - b[0]);  // of one moment the last value
    const reach = (REACH / (this.width - LEFT - RIGHT)) * this.seconds;
    if (drawn[0][0] < reach) drawn[0] = [0, drawn[0][1]];
    if (drawn.at(-1)[0] > this.seconds - reach) drawn[drawn.length - 1] = [this.seconds, drawn.at(-1)[1]];
    const [from, to] = [drawn[0][0], drawn.at(-1)[0]];
    return [...this.points.filter(([t]) => t < from), ...drawn, ...this.points.filter(([t]) => t > to)];
  }

  inner(index) {
    return index > 0 && index < this.points.length - 1;
  }

  /** A point to another place, no farther than its neighbours; those at the ends keep their time. */
  move(index, [time, value]) {
    const now = this.inner(index) ? clamp(time, this.points[index - 1][0], this.points[index + 1][0]) : this.points[index][0];
    this.points = this.points.with(index, [now, value]);
    this.draw();
  }

  add() {
    const gaps = this.points.slice(1).map((point, i) => point[0] - this.points[i][0]);
    const widest = gaps.indexOf(Math.max(...gaps));
    const [a, b] = [this.points[widest], this.points[widest + 1]];
    const point = [short3((a[0] + b[0]) / 2), this.snap(this.log ? Math.sqrt(a[1] * b[1]) : (a[1] + b[1]) / 2)];
    this.change(this.points.toSpliced(widest + 1, 0, point));
    this.picture.querySelector(`[data-index="${widest + 1}"]`).focus();
  }

  /** One point less; the ends stay. */
  remove(index) {
    if (!this.inner(index)) return say("The ends of the curve stay");
    this.change(this.points.toSpliced(index, 1));
    say("Point removed");
  }

  key(event, index) {
    const [time, value] = this.points[index];
    const up = this.log ? value * 1.1 : value + this.step;
    const down = this.log ? value / 1.1 : value - this.step;
    const moves = {
      ArrowUp: [time, up], ArrowDown: [time, down],
      ArrowLeft: [time - 0.1, value], ArrowRight: [time + 0.1, value],
      PageUp: [time, this.log ? value * 1.5 : value + 5 * this.step],
      PageDown: [time, this.log ? value / 1.5 : value - 5 * this.step],
      Home: [time, this.low], End: [time, this.high],
    };
    if (event.key in moves) {
      const [t, v] = moves[event.key], before = this.points;
      this.move(index, [short3(t), this.snap(v)]);
      this.change(this.points, before);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.remove(index);
      index = Math.min(index, this.points.length - 1);
    } else return;
    event.preventDefault();
    this.picture.querySelector(`[data-index="${index}"]`).focus();
  }

  draw(points = this.points) {
    const focused = document.activeElement?.dataset?.index;
    const had = this.picture.contains(document.activeElement);
    const { width } = this;
    const drawing = points !== this.points;
    const path = points.map((point) => `${this.x(point[0]).toFixed(1)},${this.y(point[1]).toFixed(1)}`);
    const first = `${LEFT},${this.y(points[0][1]).toFixed(1)}`;
    const last = `${width - RIGHT},${this.y(points.at(-1)[1]).toFixed(1)}`;
    const whole = [first, ...path, last].join(" ");
    this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.picture.setAttribute("height", HEIGHT);
    this.picture.replaceChildren(
      ...this.lines.flatMap(([value, name]) => [
        svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: this.y(value), y2: this.y(value) }),
        svg("text", { x: LEFT - 12, y: this.y(value) + 4, "text-anchor": "end" }, name),
      ]),
      ...ticks(this.seconds, this.width / 50).flatMap((time) => [
        svg("line", { class: "grid", x1: this.x(time), x2: this.x(time), y1: TOP, y2: HEIGHT - BOTTOM }),
        svg("text", { x: this.x(time), y: HEIGHT - 5, "text-anchor": "middle" }, `${short(time, 1)} s`),
      ]),
      svg("polygon", { class: "under", points: `${LEFT},${HEIGHT - BOTTOM} ${whole} ${width - RIGHT},${HEIGHT - BOTTOM}` }),
      svg("polyline", { class: drawing ? "curve drawing" : "curve", points: whole }),
      ...(drawing ? [] : points.map((point, index) => this.handle(point, index))),
    );
    if (had && focused !== undefined) this.picture.querySelector(`[data-index="${focused}"]`)?.focus();
  }

  handle([time, value], index) {
    return svg("circle", {
      class: "handle", r: 7, cx: this.x(time), cy: this.y(value), tabindex: 0, role: "slider", "data-index": index,
      "aria-label": `${this.label}, point ${index + 1}`, "aria-valuemin": this.low, "aria-valuemax": this.high,
      "aria-valuenow": value, "aria-orientation": "vertical",
      "aria-valuetext": `${short(value)} ${this.unit} at ${short(time)} seconds`,
      onkeydown: (event) => this.key(event, index),
    });
  }
}

const short3 = (value) => Math.round(value * 1000) / 1000;

/** Ramer, Douglas and Peucker: as few points as keep the line within a tolerance. */
function simplified(points, place, tolerance) {
  if (points.length < 3) return points;
  const [a, b] = [place(points[0]), place(points.at(-1))];
  let [worst, at] = [0, 0];
  for (let i = 1; i < points.length - 1; i++) {
    const p = place(points[i]);
    const share = b[0] === a[0] ? 0 : (p[0] - a[0]) / (b[0] - a[0]);
    const off = Math.abs(p[1] - (a[1] + share * (b[1] - a[1])));
    if (off > worst) [worst, at] = [off, i];
  }
  if (worst <= tolerance) return [points[0], points.at(-1)];
  const left = simplified(points.slice(0, at + 1), place, tolerance);
  return [...left.slice(0, -1), ...simplified(points.slice(at), place, tolerance)];
}
