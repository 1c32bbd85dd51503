// The line to the server: one tab, its files, its pieces.

const SILENT = "The studio does not answer: is it still running?";
const PATIENCE = 5000, LONGEST = 20_000; // milliseconds of silence until it is told; of one answer
const BUSY = 500, IDLE = 5000; // milliseconds between two questions for news

async function told(answer) {
  const body = await answer.json().catch(() => null);
  if (!answer.ok || !body) throw Object.assign(new Error(body?.error ?? SILENT), { status: answer.status });
  return body;
}

const reach = async (where, options = {}, longest = LONGEST) => {
  try {
    return await fetch(where, { ...options, signal: AbortSignal.timeout(longest) });
  } catch {
    throw new Error(SILENT);
  }
};

export class Api {
  /** Take up the tab of that id, where the studio still has it, or a new one; gives its pieces. */
  async open(tab = "") {
    const answer = await told(await reach(`/studio/tabs?again=${encodeURIComponent(tab)}`, { method: "POST" }));
    this.tab = answer.tab;
    this.home = `/studio/tabs/${answer.tab}`;
    this.models = answer.models; // seconds of the longest clip, by name
    this.limits = answer.limits;
    return answer.pieces;
  }

  /**
   * Ask for news from now on; no line is held open, for a browser has few.
   * changed: called with the pieces, gives whether more news is due soon; lost: called when the studio has let go of the
   * tab and there is a new one; failed: called with why nothing is heard, with "" once it is again.
   */
  listen({ changed, lost, failed }) {
    let next, asked = 0, silent = null, complained = false;
    this.look = async () => {
      clearTimeout(next);
      const question = (asked += 1);
      const heard = await this.news(lost).catch((error) => error);
      if (question !== asked) return; // asked anew meanwhile
      if (heard instanceof Error) {
        silent ??= Date.now();
        if (!complained && Date.now() - silent >= PATIENCE) {
          complained = true;
          failed(heard.message);
        }
        next = setTimeout(this.look, BUSY);
        return;
      }
      if (complained) failed("");
      [silent, complained] = [null, false];
      next = setTimeout(this.look, changed(heard) ? BUSY : IDLE);
    };
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.look(); });
    for (const name of ["pageshow", "online"]) window.addEventListener(name, this.look);
    window.addEventListener("pagehide", () => navigator.sendBeacon(`${this.home}/leave`));
    this.look();
  }

  async news(lost) {
    try {
      return (await told(await reach(this.home))).pieces;
    } catch (error) {
      if (error.status !== 404) throw error;
      const pieces = await this.open();
      lost();
      return pieces;
    }
  }

  async ask(settings) {
    return told(await reach(`${this.home}/pieces`, { method: "POST", body: JSON.stringify(settings) }));
  }

  async stop(id) {
    return told(await reach(`${this.home}/pieces/${id}/stop`, { method: "POST" }));
  }

  async result(id) {
    return told(await reach(`${this.home}/pieces/${id}`));
  }

  file(id, kind, download = false) {
    return `${this.home}/pieces/${id}/${kind}${download ? "?download" : ""}`;
  }

  /** A recording that the studio has. */
  async recording(id) {
    return told(await reach(`${this.home}/uploads/${id}`));
  }

  /** A finished piece as a recording. */
  async edit(id) {
    return told(await reach(`${this.home}/pieces/${id}/edit`, { method: "POST" }));
  }

  sound(id) {
    return `${this.home}/uploads/${id}/audio`;
  }

  upload(file) {
    return this.send("uploads", file);
  }

  tune(file) {
    return this.send("tunes", file);
  }

  async send(where, file) {
    if (file.size > this.limits.upload_bytes) {
      throw new Error(`${file.name}: has more than ${this.limits.upload_bytes / 1e6} MB: cut or compress it`);
    }
    return told(await reach(`${this.home}/${where}?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file }, 30 * LONGEST));
  }
}
