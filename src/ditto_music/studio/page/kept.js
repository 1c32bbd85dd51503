// Settings that are kept or shared: a file, or what stands behind the # of a link.

const text = (value) => typeof value === "string";
const yes = (value) => typeof value === "boolean";
const rows = (width, least = 1) => (value) =>
  Array.isArray(value) && value.length >= least && value.every((row) => Array.isArray(row) && row.length === width && row.every(Number.isFinite));

const KINDS = {
  task: (value) => ["make", "redo", "continue", "loop"].includes(value),
  prompt: text, negative: text, model: text, style: text, recording: text, recording_name: text,
  form: (value) => text(value) && /^([A-Z]+|[A-Z](:[\d.]+)?( [A-Z](:[\d.]+)?)*)$/.test(value),
  seed: Number.isFinite, duration: Number.isFinite, guidance: Number.isFinite, iterations: Number.isFinite, tempo: Number.isFinite, seconds: Number.isFinite,
  intensity: rows(2), brightness: rows(2), notes: rows(3), regions: rows(2, 0),
  shape_only: yes, before: yes,
};

/** Settings from text; throws where it holds none, before any is used. Bounds are the server's to check. */
export function read(words) {
  const said = JSON.parse(words);
  if (typeof said !== "object" || said === null || Array.isArray(said)) throw new Error("no settings");
  for (const [name, is] of Object.entries(KINDS)) if (said[name] != null && !is(said[name])) throw new Error(`no ${name}`);
  return said;
}

export function packed(asked) {
  const bytes = new TextEncoder().encode(JSON.stringify({ ...asked, recording: undefined }));
  return `settings=${btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

export function unpacked(words) {
  const bytes = Uint8Array.from(atob(words.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}
