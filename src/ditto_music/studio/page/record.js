// The microphone as a WAV file.

const LONGEST = 30; // seconds

export class Recorder {
  static async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("The browser gives the microphone only to this machine's own address or over HTTPS");
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false } });
    } catch {
      throw new Error("The microphone is not allowed or not there: allow it for this page");
    }
    const self = new Recorder();
    self.stream = stream;
    self.parts = [];
    try {
      await self.listen();
    } catch (error) {
      self.close();
      throw error;
    }
    return self;
  }

  async listen() {
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule(new URL("tap.js", import.meta.url));
    const tap = new AudioWorkletNode(this.context, "tap");
    tap.port.onmessage = ({ data }) => {
      if (this.parts.length * data.length < LONGEST * this.context.sampleRate) this.parts.push(data);
    };
    this.context.createMediaStreamSource(this.stream).connect(tap);
  }

  /** Give the microphone back. */
  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context?.close();
  }

  /** A WAV of 16 bit, one channel. */
  stop() {
    this.close();
    const rate = this.context.sampleRate;
    const count = this.parts.reduce((sum, part) => sum + part.length, 0);
    const view = new DataView(new ArrayBuffer(44 + 2 * count));
    const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
    text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
    view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
    view.setUint16(32, 2, true); view.setUint16(34, 16, true);
    text(36, "data"); view.setUint32(40, 2 * count, true);
    let at = 44;
    for (const part of this.parts) {
      for (const sample of part) {
        view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true);
        at += 2;
      }
    }
    return new Blob([view.buffer], { type: "audio/wav" });
  }
}
