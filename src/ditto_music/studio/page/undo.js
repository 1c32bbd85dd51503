// Steps back, for what is drawn.

import { el } from "./dom.js";

const MOST = 50; // steps

/** What was there before each change, and a button that puts the last of it back. */
export class Undo {
  constructor(put) {
    this.past = [];
    this.button = el("button", { type: "button", "aria-label": "Undo", title: "Undo", onclick: () => {
      if (!this.past.length) return;
      put(this.past.pop());
      this.tell();
    } }, "↶");
    this.tell();
  }

  keep(before) {
    this.past = [...this.past, before].slice(-MOST);
    this.tell();
  }

  /** Dim where there is nothing to go back to; not `disabled`, which would lose the focus. */
  tell() {
    this.button.setAttribute("aria-disabled", !this.past.length);
  }
}
