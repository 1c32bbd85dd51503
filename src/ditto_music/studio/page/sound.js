// What is heard: a player that changes between versions without losing its place, and single notes.

let context = null;
let playing = null; // what is heard: has `pause`

/** One thing is heard at a time. */
function alone(one) {
  if (playing !== one) playing?.pause();
  playing = one;
}

/** The one audio context; made at a press of something, as browsers ask. */
function audio() {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
  return context;
}

function note(pitch, when, seconds) {
  const out = audio();
  const [tone, volume] = [out.createOscillator(), out.createGain()];
  tone.type = "triangle";
  tone.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
  volume.gain.setValueAtTime(0, when);
  volume.gain.linearRampToValueAtTime(0.25, when + 0.01);
  volume.gain.setTargetAtTime(0, when + Math.max(0.05, seconds - 0.05), 0.03);
  tone.connect(volume).connect(out.destination);
  tone.start(when);
  tone.stop(when + seconds + 0.3);
  return tone;
}

/** One note, now. */
export function blip(pitch) {
  note(pitch, audio().currentTime + 0.01, 0.2);
}

/** Notes [start, stop, pitch]; called while a tune sounds, it ends that instead. */
export function tune(notes) {
  if (playing?.tones) return alone(null);
  const now = audio().currentTime + 0.05;
  const tones = notes.map(([start, stop, pitch]) => note(pitch, now + start, stop - start));
  const one = { tones, pause: () => tones.forEach((tone) => tone.stop()) };
  alone(one);
  tones.at(-1)?.addEventListener("ended", () => { if (playing === one) playing = null; });
}

export class Player {
  /** moved: called with seconds while it plays; changed: when it starts, stops or has other versions. */
  constructor({ moved, changed }) {
    Object.assign(this, { moved, changed });
    this.repeat = false;
    this.clear();
  }

  clear() {
    this.pause();
    this.sounds = new Map();
    this.current = null;
    this.place = 0;
    this.span = null;
  }

  /** Bring a version, an address or a file, in place of one of the same name; gives whether it can be played here. */
  async load(name, from) {
    const { sounds } = this;
    let sound;
    try {
      const bytes = from instanceof Blob ? from : await fetch(from);
      sound = await new OfflineAudioContext(1, 1, 44100).decodeAudioData(await bytes.arrayBuffer());
    } catch {
      return false;
    }
    if (sounds !== this.sounds) return false; // another piece's turn, meanwhile
    const playing = this.playing && this.current === name;
    if (playing) this.pause();
    this.sounds.set(name, sound);
    this.current ??= name;
    if (playing) this.play();
    this.changed();
    return true;
  }

  get sound() {
    return this.sounds.get(this.current);
  }

  get seconds() {
    return this.sound?.duration ?? 0;
  }

  get playing() {
    return Boolean(this.source);
  }

  now() {
    if (!this.playing) return this.place;
    let place = this.place + audio().currentTime - this.since;
    const [start, stop] = this.span ?? [0, this.seconds];
    if (this.looping && place >= stop) place = start + ((place - start) % (stop - start));
    return Math.min(place, this.seconds);
  }

  get looping() {
    return this.repeat || Boolean(this.span);
  }

  play() {
    if (!this.sound) return;
    this.pause();
    alone(this);
    const out = audio();
    if (this.span && (this.place < this.span[0] || this.place >= this.span[1])) this.place = this.span[0];
    if (this.place >= this.seconds - 0.02) this.place = 0;
    const source = out.createBufferSource();
    source.buffer = this.sound;
    source.loop = this.looping;
    [source.loopStart, source.loopEnd] = this.span ?? [0, this.seconds];
    source.connect(out.destination);
    source.onended = () => {
      if (this.source !== source) return;
      this.source = null;
      this.place = 0;
      this.changed();
      this.moved(0);
    };
    source.start(0, this.place);
    this.since = out.currentTime;
    this.source = source;
    this.changed();
    const frame = () => {
      if (this.source !== source) return;
      this.moved(this.now());
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  pause() {
    if (!this.source) return;
    this.place = this.now();
    const source = this.source;
    this.source = null;
    source.stop();
    this.changed();
  }

  /** Do something to it without a stop. */
  while(change) {
    const playing = this.playing;
    if (playing) this.pause();
    change();
    if (playing) this.play();
    this.moved(this.now());
    this.changed();
  }

  show(name) {
    if (this.sounds.has(name)) this.while(() => { this.current = name; });
  }

  /** Go to a place, and out of a stretch that is played over and over if it is not in there. */
  seek(seconds) {
    this.while(() => {
      this.place = Math.max(0, Math.min(seconds, this.seconds));
      if (this.span && (this.place < this.span[0] || this.place >= this.span[1])) this.span = null;
    });
  }

  /** Play a stretch over and over; null: all of it. */
  around(span) {
    this.while(() => {
      this.span = span;
      if (span) this.place = span[0];
    });
  }
}
