// The line to the server: one tab, its files, its pieces.

const SILENT = "The studio does not answer: is it still running?";
const PATIENCE = 5000; // milliseconds

async function told(answer) {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? SILENT);
  return body;
}

const reach = async (...request) => {
  try {
    return await fetch(...request);
  } catch {
    throw new Error(SILENT);
  }
};

export class Api {
  static async open() {
    const self = new Api();
    const answer = await told(await reach("/studio/tabs", { method: "POST" }));
    self.home = `/studio/tabs/${answer.tab}`;
    self.models = answer.models; // seconds of the longest clip, by name
    self.limits = answer.limits;
    return self;
  }

  /** Hear of every change; the open line also says that somebody is here. failed: called with why nothing is heard, with "" once it is again. */
  listen(changed, failed) {
    const line = new EventSource(`${this.home}/events`);
    let waits = null, silent = false;
    line.onmessage = ({ data }) => {
      clearTimeout(waits);
      if (silent) failed("");
      [waits, silent] = [null, false];
      changed(JSON.parse(data).pieces);
    };
    line.onerror = () => {
      if (line.readyState === EventSource.CLOSED) {
        clearTimeout(waits);
        failed("This page was closed by the studio: load it again");
      } else waits ??= setTimeout(() => {
        silent = true;
        failed(SILENT);
      }, PATIENCE);
    };
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
    return told(await reach(`${this.home}/${where}?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file }));
  }
}
