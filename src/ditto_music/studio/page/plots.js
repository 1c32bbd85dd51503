// What was asked over what was achieved, one picture a control.

import { colour, el, onWidth, short, ticks } from "./dom.js";

const LEFT = 48, BOTTOM = 22, TOP = 8, RIGHT = 10;

/** A card for one panel. */
export function panelCard(panel, figure) {
  const heading = el("h3", {}, title(panel.name));
  const words = figure ? el("p", { class: "hint" }, figure.before ? `${figure.before} → ` : "", el("b", {}, figure.after)) : null;
  const body = panel.kind === "bars" ? bars(panel) : picture(panel, figure);
  return el("div", { class: "card", "data-panel": panel.name }, heading, words, body, panel.kind === "matrices" ? null : legend());
}

export const title = (name) => ({ intensity: "Loudness", structure: "Form", "match-spectrum": "Balance" })[name] ?? name[0].toUpperCase() + name.slice(1);

const legend = () => el("p", { class: "legend" }, el("span", {}, el("i", { class: "target" }), "asked"), el("span", {}, el("i", {}), "got"));

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

function axes(pen, width, height, times, low, high, axis) {
  const last = times.at(-1), first = axis?.includes("(s)") ?? true ? 0 : times[0];
  const log = axis?.includes("(Hz)");
  const share = (t) => (log ? Math.log(t / first) / Math.log(last / first) : (t - first) / (last - first));
  const x = (t) => LEFT + share(t) * (width - LEFT - RIGHT);
  const y = (v) => height - BOTTOM - ((v - low) / (high - low || 1)) * (height - BOTTOM - TOP);
  pen.fillStyle = colour("soft");
  pen.strokeStyle = colour("grid");
  pen.textAlign = "right";
  for (let i = 0; i <= 4; i++) {
    const value = low + ((high - low) * i) / 4;
    line(pen, [[LEFT, y(value)], [width - RIGHT, y(value)]]);
    pen.fillText(short(value, Math.abs(high - low) < 8 ? 1 : 0), LEFT - 6, y(value) + 4);
  }
  pen.textAlign = "center";
  const places = first === 0 ? ticks(last, width / 50) : [0, 1, 2, 3, 4].map((i) => times[Math.round((i * (times.length - 1)) / 4)]);
  for (const time of places) {
    line(pen, [[x(time), TOP], [x(time), height - BOTTOM]]);
    pen.fillText(first === 0 ? `${short(time, 1)} s` : short(time, 0), Math.min(x(time), width - 14), height - 6);
  }
  return [x, y];
}

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
  const room = 0.06 * (high - low || 1);
  const [x, y] = axes(pen, width, height, panel.times, low - room, high + room, panel.axis);
  const points = (list) => list.map((value, i) => [x(panel.times[i]), value == null ? null : y(value)]);
  pen.strokeStyle = colour("achieved");
  line(pen, points(panel.achieved), [], 2);
  pen.strokeStyle = colour("target");
  line(pen, points(panel.target), [6, 4], 2.5);
}

function roll(pen, panel, width, height) {
  const rows = panel.rows.length;
  const last = panel.times.at(-1);
  const x = (t) => LEFT + (t / last) * (width - LEFT - RIGHT);
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
    const point = row >= 0 && row === before ? [x(panel.times[i]), y(row) + tall / 2] : [0, row >= 0 ? null : null];
    before = row;
    return point;
  });
  line(pen, points, [], 3);
  pen.fillStyle = colour("soft");
  pen.textAlign = "right";
  panel.rows.forEach((name, row) => pen.fillText(name, LEFT - 6, y(row) + tall / 2 + 4));
  pen.textAlign = "center";
  for (const time of ticks(last, width / 50)) pen.fillText(`${short(time, 1)} s`, x(time), height - 6);
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
