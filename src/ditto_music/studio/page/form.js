// The form of a piece: letters as blocks, their edges dragged.

import { clamp, el, say, short } from "./dom.js";

const LETTERS = "ABCDEF", LEAST = 0.5; // seconds, as `structure` asks

export class Form {
  constructor(place, { seconds, changed }) {
    Object.assign(this, { seconds, changed });
    this.row = el("div", { class: "blocks", role: "group", "aria-label": "Parts: press to change the letter, left and right change its length" });
    const presets = ["AABA", "ABAB", "ABA", "AB"].map((form) => el("button", { type: "button", onclick: () => this.set(form) }, form));
    place.append(this.row, el("div", { class: "tools" }, ...presets, el("span", { class: "end" },
      el("button", { type: "button", onclick: () => this.add(), "aria-label": "One part more" }, "+"),
      el("button", { type: "button", onclick: () => this.drop(), "aria-label": "One part less" }, "−"))));
    this.parts = [];
    this.set("AABA", false);
  }

  /** From text: AABA, or A:1.5 B:2. */
  set(text, told = true) {
    const words = text.includes(":") ? text.split(" ").map((word) => word.split(":")) : [...text].map((letter) => [letter]);
    const given = words.reduce((sum, [, length]) => sum + (+length || 0), 0);
    const free = words.filter(([, length]) => !length).length;
    this.parts = words.map(([letter, length]) => ({ letter, seconds: +length || (this.seconds - given) / free }));
    this.draw();
    if (told) this.changed();
  }

  /** As text for the command line; the last part takes what is left. */
  get text() {
    const lengths = this.parts.map((part) => part.seconds);
    const even = Math.max(...lengths) - Math.min(...lengths) < 0.02;
    if (even) return this.parts.map((part) => part.letter).join("");
    return this.parts.map((part, i) => (i + 1 < this.parts.length ? `${part.letter}:${short(part.seconds)}` : part.letter)).join(" ");
  }

  stretch(seconds) {
    for (const part of this.parts) part.seconds *= seconds / this.seconds;
    this.seconds = seconds;
    this.draw();
  }

  even() {
    for (const part of this.parts) part.seconds = this.seconds / this.parts.length;
  }

  add() {
    if ((this.parts.length + 1) * LEAST > this.seconds) return;
    this.parts.push({ letter: this.parts.at(-1).letter === "A" ? "B" : "A", seconds: 0 });
    this.even();
    this.draw();
    this.changed();
  }

  drop() {
    if (this.parts.length < 3) return;
    this.parts.pop();
    this.even();
    this.draw();
    this.changed();
  }

  turn(index, by) {
    const part = this.parts[index];
    part.letter = LETTERS[(LETTERS.indexOf(part.letter) + by + LETTERS.length) % LETTERS.length];
    say(`Part ${index + 1} is ${part.letter}`);
    this.draw(index);
    this.changed();
  }

  /** Move the edge after a part. */
  edge(index, by) {
    const [a, b] = [this.parts[index], this.parts[index + 1]];
    if (!b) return;
    const least = Math.min(LEAST, a.seconds, b.seconds);
    const move = clamp(by, least - a.seconds, b.seconds - least);
    a.seconds += move;
    b.seconds -= move;
    for (const [i, button] of [...this.row.querySelectorAll("button")].entries()) {
      button.style.flexGrow = this.parts[i].seconds;
      button.lastChild.textContent = `${short(this.parts[i].seconds, 1)} s`;
    }
  }

  drag(event, index) {
    event.preventDefault();
    const handle = event.currentTarget;
    const parts = [...this.row.querySelectorAll("button")].slice(index, index + 2);
    const wide = parts.reduce((sum, one) => sum + one.clientWidth, 0), long = this.parts[index].seconds + this.parts[index + 1].seconds;
    handle.setPointerCapture(event.pointerId);
    let at = event.clientX;
    const move = (next) => {
      this.edge(index, ((next.clientX - at) / wide) * long);
      at = next.clientX;
    };
    const end = () => {
      handle.removeEventListener("pointermove", move);
      this.changed();
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", end, { once: true });
    handle.addEventListener("pointercancel", end, { once: true });
  }

  key(event, index) {
    if (event.key === "ArrowUp" || event.key === "ArrowDown") this.turn(index, event.key === "ArrowUp" ? 1 : -1);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      this.edge(index, event.key === "ArrowRight" ? 0.1 : -0.1);
      say(`Part ${index + 1} lasts ${short(this.parts[index].seconds, 1)} seconds`);
      this.changed();
    } else return;
    event.preventDefault();
  }

  draw(focus = null) {
    const children = this.parts.flatMap((part, index) => {
      const button = el("button", {
        type: "button", onclick: () => this.turn(index, 1), onkeydown: (event) => this.key(event, index),
      }, el("span", { class: "unseen" }, `Part ${index + 1}: `), part.letter, el("small", {}, `${short(part.seconds, 1)} s`));
      button.style.background = `var(--${part.letter.toLowerCase()})`;
      button.style.flex = `${part.seconds} 1 0`;
      const edge = index + 1 < this.parts.length ? el("span", { class: "edge", "aria-hidden": "true", onpointerdown: (event) => this.drag(event, index) }) : null;
      return edge ? [button, edge] : [button];
    });
    this.row.replaceChildren(...children);
    if (focus !== null) this.row.querySelectorAll("button")[focus].focus();
  }
}
