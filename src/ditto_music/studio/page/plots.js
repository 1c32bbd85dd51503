// What was asked over what was achieved, one picture a control.

import { colour, el, onWidth, rounds, short, ticks } from "./dom.js";

const LEFT = 48, BOTTOM = 22, TOP = 8, RIGHT = 14; // as in the style of .head
const TIME = "time (s)", FREQUENCY = "frequency (Hz)";

/** A card for one panel; `seconds`, where given, of the sound that is heard: the picture shows how far it is. */
export function panelCard(panel, figure, seconds) {
  const heading = el("h3", {}, title(panel.name));
  const words = figure ? el("p", { class: "hint" }, figure.before ? `${figure.before} → ` : "", el("b", {}, figure.after)) : null;
  const body = panel.kind === "bars" ? bars(panel) : picture({ ...panel, seconds }, figure);
  const timed = seconds && (panel.kind === "roll" || panel.axis === TIME);
  const plot = el("div", { class: "plot" }, body, timed ? el("i", { class: "head" }) : null);
  return el("div", { class: "card", "data-panel": panel.name }, heading, words, plot, legend(panel.kind));
}

export const title = (name) => ({ intensity: "Loudness", structure: "Form", "match-spectrum": "Balance" })[name] ?? name[0].toUpperCase() + name.slice(1);

function legend(kind) {
  if (kind === "matrices") return null;
  if (kind === "bars") return el("p", { class: "legend" }, el("b", { class: "asked" }, "asked"), "among what else is heard");
  return el("p", { class: "legend" }, el("span", {}, el("i", { class: "target" }), "asked"), el("span", {}, el("i", {}), "got"));
}

function picture(panel, figure) {
  const said = `${title(panel.name)}: what was asked over what came out${figure ? `, ${figure.after}` : ""}`;
  const canvas = el("canvas", { role: "img", "aria-label": said });
  const height = panel.kind === "matrices" ? 190 : 170;
  canvas.style.height = `${height}px`;
  const draw = { curve, roll, matrices }[panel.kind];
  const paint = () => {
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "11px system-ui, sans-serif";
    draw(pen, panel, width, height);
  };
  onWidth(canvas, paint);
  canvas.repaint = paint;
  return canvas;
}

/** Grid and numbers; gives the places of times (or what else the axis has) and of values. */
function axes(pen, width, height, { times, seconds, axis, unit }, low, high, log) {
  const timed = axis === TIME;
  const x = scale(timed ? 0 : times[0], (timed && seconds) || times.at(-1), LEFT, width - RIGHT, axis === FREQUENCY);
  const y = scale(low, high, height - BOTTOM, TOP, log);
  pen.fillStyle = colour("soft");
  pen.strokeStyle = colour("grid");
  pen.textAlign = "right";
  for (const value of rounds(low, high, 5, log)) {
    line(pen, [[LEFT, y(value)], [width - RIGHT, y(value)]]);
    pen.fillText(thousands(value), LEFT - 6, y(value) + 4);
  }
  pen.textAlign = "left";
  pen.fillText(unit, LEFT + 4, TOP + 8);
  if (timed) moments(pen, x, seconds ?? times.at(-1), width, height, true);
  else {
    const places = rounds(times[0], times.at(-1), 6, axis === FREQUENCY);
    label(pen, x, places, (value) => thousands(value) + (value === places.at(-1) ? ` ${axis.match(/\((.*)\)/)[1]}` : ""), width, height, true);
  }
  return [x, y];
}

const moments = (pen, x, seconds, width, height, lines) => label(pen, x, ticks(seconds, width / 50), (time) => `${short(time, 1)} s`, width, height, lines);

function label(pen, x, places, told, width, height, lines) {
  pen.textAlign = "center";
  for (const place of places) {
    if (lines) line(pen, [[x(place), TOP], [x(place), height - BOTTOM]]);
    const text = told(place);
    pen.fillText(text, Math.min(x(place), width - pen.measureText(text).width / 2), height - 6);
  }
}

/** From values to pixels. */
function scale(low, high, from, to, log = false) {
  const at = log ? Math.log : (value) => value;
  return (value) => from + ((at(value) - at(low)) / (at(high) - at(low) || 1)) * (to - from);
}

const thousands = (value) => (value >= 1000 ? `${short(value / 1000)}k` : short(value));

function line(pen, points, dash = [], width = 1) {
  pen.setLineDash(dash);
  pen.lineWidth = width;
  pen.beginPath();
  let down = false;
  for (const [a, b] of points) {
    if (b == null || Number.isNaN(b)) down = false;
    else {
      if (down) pen.lineTo(a, b);
      else pen.moveTo(a, b);
      down = true;
    }
  }
  pen.stroke();
  pen.setLineDash([]);
}

function curve(pen, panel, width, height) {
  const values = [...panel.target, ...panel.achieved].filter((value) => value != null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const log = panel.unit === "Hz" && low > 0;
  const room = 0.06 * (high - low || 1);
  const [x, y] = axes(pen, width, height, panel, log ? low / 1.1 : low - room, log ? high * 1.1 : high + room, log);
  const points = (list) => list.map((value, i) => [x(panel.times[i]), value == null ? null : y(value)]);
  pen.strokeStyle = colour("achieved");
  line(pen, points(panel.achieved), [], 2);
  pen.strokeStyle = colour("target");
  line(pen, points(panel.target), [6, 4], 2.5);
}

function roll(pen, panel, width, height) {
  const rows = panel.rows.length;
  const seconds = panel.seconds ?? panel.times.at(-1);
  const x = scale(0, seconds, LEFT, width - RIGHT);
  const tall = (height - BOTTOM - TOP) / rows;
  const y = (row) => height - BOTTOM - (row + 1) * tall;
  const wide = (width - LEFT - RIGHT) / panel.times.length + 0.6;
  pen.fillStyle = colour("achieved");
  panel.achieved.forEach((list, row) => list.forEach((value, i) => {
    if (value < 0.04) return;
    pen.globalAlpha = Math.min(1, value);
    pen.fillRect(x(panel.times[i]), y(row), wide, tall);
  }));
  pen.globalAlpha = 1;
  pen.strokeStyle = colour("target");
  let before = -1;
  const points = panel.target.map((row, i) => {
    const point = row >= 0 && row === before ? [x(panel.times[i]), y(row) + tall / 2] : [0, null];
    before = row;
    return point;
  });
  line(pen, points, [], 3);
  pen.fillStyle = colour("soft");
  pen.textAlign = "right";
  panel.rows.forEach((name, row) => pen.fillText(name, LEFT - 6, y(row) + tall / 2 + 4));
  moments(pen, x, seconds, width, height, false);
}

function matrices(pen, panel, width, height) {
  const side = Math.round(Math.min(height - 24, (width - 30) / 2));
  const values = [panel.target, panel.achieved].flat(2);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  [["asked", panel.target], ["got", panel.achieved]].forEach(([name, rows], place) => {
    const left = Math.round(place ? width / 2 + 8 : width / 2 - 8 - side);
    const count = rows.length, edge = (i) => Math.round((i * side) / count);
    pen.fillStyle = colour(place ? "achieved" : "target");
    rows.forEach((row, i) => row.forEach((value, j) => {
      pen.globalAlpha = Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
      pen.fillRect(left + edge(j), edge(count - i - 1), edge(j + 1) - edge(j), edge(count - i) - edge(count - i - 1));
    }));
    pen.globalAlpha = 1;
    pen.fillStyle = colour("soft");
    pen.textAlign = "center";
    pen.fillText(name, left + side / 2, side + 16);
  });
}

function bars(panel) {
  const top = Math.max(1, ...panel.achieved);
  return el("div", { class: "bars" }, ...panel.labels.flatMap((label, i) => {
    const filled = el("i");
    filled.style.width = `${(100 * panel.achieved[i]) / top}%`;
    return [el("span", panel.target[i] == null ? {} : { class: "asked" }, label), el("div", {}, filled), el("span", {}, short(panel.achieved[i]))];
  }));
}
