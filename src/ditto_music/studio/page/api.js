// The line to the server: one tab, its files, its pieces.

async function told(answer) {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? "The studio does not answer: is it still running?");
  return body;
}

const reach = async (...request) => {
  try {
    return await fetch(...request);
  } catch {
    throw new Error("The studio does not answer: is it still running?");
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

  /** Hear of every change; the open line also says that somebody is here. */
  listen(changed, lost) {
    const line = new EventSource(`${this.home}/events`);
    line.onmessage = ({ data }) => changed(JSON.parse(data).pieces);
    line.onerror = () => {
      if (line.readyState === EventSource.CLOSED) lost();
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
