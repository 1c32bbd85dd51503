// The page: what its parts show, what they ask of the server, what came out.

import { Api } from "./api.js";
import { Curve } from "./curve.js";
import { $, clamp, el, flash, say, short, stored } from "./dom.js";
import { Form } from "./form.js";
import { packed, read, unpacked } from "./kept.js";
import { panelCard, title } from "./plots.js";
import { Roll } from "./roll.js";
import { Player } from "./sound.js";
import { Wave } from "./wave.js";

const EXAMPLES = ["calm piano ballad, 80 bpm", "upbeat bossa nova with nylon guitar", "energetic rock band", "dark ambient pads", "techno, 130 bpm"];
const VERSIONS = { draft: "So far", music: "Finished", plain: "Left alone" };
const USUAL = { guidance: 0.5, iterations: 60 };  // guidance at its lowest is the model's own
const CONTROLS = { intensity: "intensity", notes: "melody", form: "form", tempo: "tempo", style: "style", brightness: "brightness" }; // by what is asked of them
const COLUMNS = 800;
const KEPT = "ditto-page"; // in the browser's storage of this tab

const page = { mode: "make", recording: null, waits: null, active: null, followed: null, shown: null, pinned: false, due: null, blame: "", recordings: new Map(), pieces: [], gone: [], settings: new Map(), results: new Map(), loaded: {} };
let api, parts, player, wave, source, sourcePlayer;

/** Into Gradio's component once it is there, without disturbing who has begun to type. */
function settle() {
  const move = (watch) => {
    const place = $("studio-place");
    if (!place) return;
    watch?.disconnect();
    const typing = document.activeElement;
    const span = [typing.selectionStart, typing.selectionEnd];
    place.append($("studio"));
    typing.focus({ preventScroll: true });
    if (typeof span[0] === "number" && typing.type !== "number") typing.setSelectionRange(...span);
  };
  new MutationObserver((_, watch) => move(watch)).observe(document.body, { childList: true, subtree: true });
}

async function begin() {
  theme(stored("localStorage", "ditto-theme"));
  settle();
  make();
  wire();
  const [line, before] = [new Api(), kept()];
  try {
    page.pieces = await line.open(before.tab);
  } catch (error) {
    return fail(error.message);
  }
  api = line;
  $("model").replaceChildren(...Object.keys(api.models).map((name) => el("option", { value: name }, name)));
  bound();
  if (before.tab) await restore(before);
  if (before.hash !== location.hash) recall();
  api.listen({ changed: news, lost, failed: fail });
  window.addEventListener("pagehide", keep);
  document.addEventListener("visibilitychange", keep);
  keep();
  $("studio").dataset.ready = "yes";
}

/** What a page that is loaded again takes up. */
function keep() {
  const modes = page.mode === "make" ? ["edit", "make"] : ["make", "edit"];
  const heard = page.pinned ? page.shown : page.active;
  const kept = { tab: api.tab, hash: location.hash, settings: modes.map((mode) => settings(mode)), off: unasked(), asked: [...page.settings], heard };
  stored("sessionStorage", KEPT, JSON.stringify(kept));
}

const kept = () => JSON.parse(stored("sessionStorage", KEPT)) ?? {};

async function restore({ tab, settings, off, asked, heard }) {
  const known = tab === api.tab ? [...asked.map(([, one]) => one), ...settings].map((one) => one.recording).filter(Boolean) : [];
  const recordings = await Promise.all([...new Set(known)].map((id) => api.recording(id).catch(() => null)));
  for (const one of recordings.filter(Boolean)) page.recordings.set(one.id, one);
  page.settings = new Map(asked);
  page.active = heard;
  for (const one of settings) apply(one);
  draw(off);
  for (const name of Object.keys(off)) turn(CONTROLS[name], false);
  $("empty").hidden = Boolean(asked.length);
  if (tab !== api.tab) return lost();
  if (page.pieces.some((one) => one.id === heard && one.status === "done")) page.due = heard;
}

/** The studio has let go of this tab: what is loaded still plays, what only the studio had is gone. */
function lost() {
  page.gone = [...page.settings.keys()].map((id) => ({ id, status: "gone" }));
  page.pieces = [];
  $("downloads").replaceChildren();
  page.recordings.clear();
  if (page.recording?.file) {
    page.waits = { name: page.recording.name, regions: source.regions };
    upload(page.recording.file);
  }
  const what = page.gone.length > 1 ? `the ${page.gone.length} pieces made here: their` : "the piece made here: its";
  if (page.gone.length) fail(`The studio no longer has ${what} downloads are gone${player.sound ? ", what is in the player still plays" : ""}`);
}

function make() {
  const seconds = +$("duration").value;
  parts = {
    intensity: new Curve($("intensity"), {
      label: "Loudness", unit: "decibels", low: -60, high: 0, step: 1, points: [[0, -36], [seconds, -16]],
      lines: [[-60, "silent"], [-45, "-45"], [-30, "-30"], [-15, "-15"], [0, "0 dB"]],
      shapes: { Rise: [-36, -16], Fall: [-16, -36], Arch: [-36, -16, -36], Steady: [-24, -24] },
      changed: () => turn("intensity", true),
    }),
    brightness: new Curve($("brightness"), {
      label: "Brightness", unit: "hertz", low: 300, high: 6000, step: 100, log: true, points: [[0, 800], [seconds, 3000]],
      lines: [[300, "dull"], [1000, "1 kHz"], [3000, "3 kHz"], [6000, "bright"]],
      shapes: { "Opens up": [800, 3000], Closes: [3000, 800], Arch: [800, 3000, 800] },
      changed: () => turn("brightness", true),
    }),
    melody: new Roll($("melody"), {
      seconds, changed: () => turn("melody", true), failed: fail,
      read: async (file) => (await api.tune(file)).notes,
    }),
    form: new Form($("form"), { seconds, changed: () => turn("form", true) }),
  };
  player = new Player({ moved, changed: transport });
  wave = new Wave($("result-wave"), { label: "Where it plays, on the waveform of what came out", pick: go });
  sourcePlayer = new Player({ moved: (at) => source.moveTo(at), changed: () => { $("hear-source").textContent = sourcePlayer.playing ? "❚❚ Stop" : "▶ Hear it"; } });
  source = new Wave($("source-wave"), { label: "Where it plays, on the waveform of the recording; the marked parts are listed below", pick: (at) => sourcePlayer.seek(at), mark: regions });
  $("examples").append(...EXAMPLES.map((text) => el("button", { type: "button", onclick: () => { $("prompt").value = text; } }, text)));
}

function wire() {
  for (const button of document.querySelectorAll(".top [data-mode]")) button.onclick = () => mode(button.dataset.mode);
  for (const name of Object.values(CONTROLS)) $(`on-${name}`).onchange = (event) => turn(name, event.target.checked);
  $("theme").onclick = () => theme(dark() ? "light" : "dark");
  const outs = { duration: (v) => `${v} s`, guidance: (v) => (+v === USUAL.guidance ? "auto" : v), iterations: (v) => `${v} times`, tempo: (v) => `${v} bpm` };
  for (const [name, told] of Object.entries(outs)) {
    $(name).addEventListener("input", () => {
      $(`${name}-out`).textContent = told($(name).value);
      $(name).setAttribute("aria-valuetext", told($(name).value));
    });
  }
  $("duration").addEventListener("input", () => { for (const part of Object.values(parts)) part.stretch(+$("duration").value); });
  $("model").onchange = bound;
  $("seed").onchange = ({ target }) => { target.value = clamp(Math.floor(+target.value), 0, +target.max); };
  $("seconds").onchange = ({ target }) => { if (target.value) target.value = clamp(+target.value, +target.min, +target.max); };
  $("dice").onclick = () => { $("seed").value = Math.floor(Math.random() * 1e6); say(`Seed ${$("seed").value}`); };
  $("make").onclick = ask;
  $("stop").onclick = () => api.stop(page.followed.id).then(api.look, (error) => fail(error.message));
  $("play").onclick = () => (player.playing ? player.pause() : player.play());
  $("repeat").onchange = (event) => player.while(() => { player.repeat = event.target.checked; if (!player.repeat) player.span = null; });
  $("copy").onclick = () => copy($("command").textContent, "Command", $("copy"));
  $("save").onclick = () => download("ditto-settings.json", JSON.stringify({ studio: 1, ...settings() }, null, 2));
  $("load").onchange = async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    if (!file) return;
    const text = await file.text();
    open(() => text, "These are no settings: give a file that the studio has saved");
  };
  $("link").onclick = () => copy(`${location.origin}${location.pathname}#${packed(settings())}`, "Link", $("link"));
  window.addEventListener("hashchange", recall);

  $("file").onchange = ({ target }) => { upload(target.files[0]); target.value = ""; };
  drops();
  $("task").onchange = task;
  $("add-region").onclick = () => {
    if (!page.recording) return;
    const [from, to] = source.free();
    const [middle, half] = [(from + to) / 2, Math.min(source.seconds / 10, (to - from) / 4)];
    if (half < 0.05) return fail("There is no room for another part: make one shorter, or unmark it");
    source.regions.push([middle - half, middle + half].map((v) => +short(v)));
    regions();
    $("regions").lastChild?.querySelector("input").focus();
  };
  $("hear-source").onclick = () => (sourcePlayer.playing ? sourcePlayer.pause() : sourcePlayer.play());
  task();
}

/** Files that are dropped, wherever that is: the browser would show them in place of the page. */
function drops() {
  const over = (is) => $("drop").classList.toggle("over", is);
  window.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  window.addEventListener("drop", (event) => {
    over(false);
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    if (page.mode === "edit") upload(file);
  });
}

// What is asked

function mode(name) {
  page.mode = name;
  $("studio").dataset.mode = name;
  if (name === "make") sourcePlayer.pause(); // its Stop is not in sight
  for (const button of document.querySelectorAll(".top [data-mode]")) button.setAttribute("aria-pressed", button.dataset.mode === name);
  if (name === "edit" && $("prompt").value === EXAMPLES[0]) $("prompt").value = "";
  else if (name === "make" && !$("prompt").value) $("prompt").value = EXAMPLES[0];
  $("make").textContent = name === "make" ? "Make it" : { redo: "Redo it", continue: "Continue it", loop: "Make the loop" }[chosen()];
  source.draw();
}

/** No longer than the model makes it and the studio lets it. */
function bound() {
  if (!api) return;
  const limit = (input, most) => Object.assign(input, { max: most, min: Math.min(input.min, most), value: Math.min(input.value, most) || "" });
  limit($("seconds"), api.limits.duration);
  limit($("duration"), api.models[$("model").value]).dispatchEvent(new Event("input"));
}

const chosen = () => document.querySelector("input[name=task]:checked").value;

function task() {
  const which = chosen();
  $("more-seconds").hidden = which === "redo";
  $("before-row").hidden = which !== "continue";
  $("seconds-label").textContent = which === "loop" ? "Seconds in all (empty: as it fits)" : "Seconds to add";
  if (which === "loop") $("seconds").value = "";
  else if (!$("seconds").value) $("seconds").value = Math.min(6, $("seconds").max);
  $("add-region").hidden = $("regions").hidden = $("wave-hint").hidden = which !== "redo";
  mode(page.mode);
}

/** A control on or off. */
function turn(name, on) {
  $(`on-${name}`).checked = on;
  $(`c-${name}`).classList.toggle("on", on);
}

const on = (name) => $(`on-${name}`).checked;

/** Everything asked, as the server and a settings file know it. */
function settings(mode = page.mode) {
  const asked = { task: mode === "make" ? "make" : chosen(), prompt: $("prompt").value.trim().replace(/\s+/g, " "), seed: Math.max(0, Math.floor(+$("seed").value) || 0) };
  if ($("model").value) asked.model = $("model").value;
  for (const [name, value] of Object.entries(USUAL)) if (+$(name).value !== value) asked[name] = +$(name).value;
  if ($("negative").value.trim()) asked.negative = $("negative").value.trim();
  if (mode === "make") {
    asked.duration = +$("duration").value;
    if (on("intensity")) {
      asked.intensity = parts.intensity.points;
      if ($("shape-only").checked) asked.shape_only = true;
    }
    if (on("melody") && parts.melody.heard.length) asked.notes = parts.melody.heard;
    if (on("form")) asked.form = parts.form.text;
    if (on("tempo")) asked.tempo = +$("tempo").value;
    if (on("style") && $("style").value.trim()) asked.style = $("style").value.trim();
    if (on("brightness")) asked.brightness = parts.brightness.points;
    return asked;
  }
  if (page.recording) [asked.recording, asked.recording_name] = [page.recording.id, page.recording.name];
  if (asked.task === "redo") asked.regions = source.regions;
  else if ($("seconds").value) asked.seconds = +$("seconds").value;
  if (asked.task === "continue" && $("before").checked) asked.before = true;
  return asked;
}

/** What has to be there before anything can be made, if it is not, and where to put it. */
function lacking(asked) {
  if (page.mode === "edit") return page.recording ? null : ["Drop a recording first", $("file")];
  if (!asked.prompt) return ["Say in a few words what the music is", $("prompt")];
  if (on("melody") && !asked.notes) return ["Melody is on but has no notes", parts.melody.picture];
  if (on("style") && !asked.style) return ["Style is on but has no words", $("style")];
  return null;
}

/** What is drawn or said for controls that are off: no part of the settings, but kept over a reload. */
function unasked() {
  const { intensity, melody, form, brightness } = parts;
  const all = { intensity: intensity.points, notes: melody.notes, form: form.text, tempo: +$("tempo").value, style: $("style").value, brightness: brightness.points };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !on(CONTROLS[name])));
}

const put = (name, value) => { $(name).value = value; $(name).dispatchEvent(new Event("input")); };

/** What is asked of controls back into their parts. */
function draw(asked) {
  if (asked.intensity) parts.intensity.set(asked.intensity.map(([time, value]) => [time, value]));
  if (asked.notes?.length) parts.melody.set(asked.notes);
  if (asked.form) parts.form.set(asked.form);
  if (asked.tempo) put("tempo", asked.tempo);
  if (asked.style) put("style", asked.style);
  if (asked.brightness) parts.brightness.set(asked.brightness.map(([time, value]) => [time, value]));
}

/** Settings back into the parts. */
function apply(asked) {
  fail("");
  const kind = asked.task ?? "make";
  if (kind !== "make") document.querySelector(`input[name=task][value="${kind}"]`).checked = true;
  mode(kind === "make" ? "make" : "edit");
  put("prompt", asked.prompt ?? "");
  put("seed", asked.seed ?? 0);
  put("negative", asked.negative ?? "");
  for (const [name, value] of Object.entries(USUAL)) put(name, asked[name] ?? value);
  if (asked.model && api && asked.model in api.models) $("model").value = asked.model;
  bound();
  if (kind === "make") {
    put("duration", asked.duration ?? 6);
    draw(asked);
    $("shape-only").checked = Boolean(asked.shape_only);
    for (const [name, control] of Object.entries(CONTROLS)) turn(control, Boolean(asked[name]));
  } else {
    task();
    if (asked.seconds) $("seconds").value = asked.seconds;
    $("before").checked = Boolean(asked.before);
    page.waits = { name: asked.recording_name, regions: asked.regions?.map(([start, stop]) => [+start, +stop]) };
    const known = page.recordings.get(asked.recording);
    if (known && known !== page.recording) take(known);
    else mark();
  }
}

/** Settings as text, or a word that they are none. */
function open(text, damaged) {
  try {
    apply(read(text()));
    say("Settings opened");
  } catch {
    fail(damaged);
  }
}

/** Settings of a link; they stand behind the # and so never leave the browser. */
function recall() {
  const found = location.hash.match(/settings=([\w-]+)/);
  if (found) open(() => unpacked(found[1]), "The link is damaged");
}

async function upload(file) {
  if (!file || !api) return;
  fail("");
  $("dropped").textContent = `Reading ${file.name} …`;
  try {
    await take({ ...(await api.upload(file)), file });
  } catch (error) {
    named();
    fail(error.message);
  }
}

/** A piece becomes the recording. */
async function edit(id) {
  try {
    const recording = await api.edit(id);
    mode("edit");
    await take(recording);
  } catch (error) {
    fail(error.message);
  }
}

/** What the page calls the recording that it has. */
function named() {
  $("dropped").textContent = page.recording ? `${page.recording.name}: ${short(page.recording.seconds, 1)} s` : "WAV, FLAC, OGG, MP3 …";
}

/** A recording that the studio has becomes the one that is edited. */
async function take(recording) {
  page.recording = recording;
  page.recordings.set(recording.id, recording);
  source.show(recording.waveform, recording.seconds);
  mark();
  sourcePlayer.clear();
  const heard = await sourcePlayer.load("source", recording.file ?? api.sound(recording.id));  // a file itself: the policy lets no blob: address be fetched
  named();
  say(heard ? `${recording.name} is here` : "This browser cannot play the file; it can be edited all the same");
}

/** The parts that settings mark, once the recording they are of is here: those that lie in it. */
function mark() {
  const { name, regions: marked } = page.waits ?? {};
  if (name && name !== page.recording?.name) fail(`These settings are of ${name}: drop it here`);
  else if (page.recording) {
    page.waits = null;
    if (marked) source.regions = marked.filter(([, stop]) => stop <= source.seconds + 0.01);
  }
  regions();
}

/** The marked parts as numbers, for keys and for precision. */
function regions() {
  const number = (region, place, name) => el("input", {
    type: "number", step: 0.01, min: 0, max: short(source.seconds), value: short(region[place]), "aria-label": name, inputmode: "decimal",
    onchange: ({ target }) => {
      region[place] = clamp(+target.value || 0, 0, source.seconds);
      target.value = short(region[place]);
      source.draw();
    },
  });
  const sorted = ({ currentTarget, relatedTarget }, region) => {  // once both numbers may have been changed
    if (currentTarget.contains(relatedTarget)) return;
    region.sort((a, b) => a - b);
    currentTarget.querySelectorAll("input").forEach((input, place) => { input.value = short(region[place]); });
    source.draw();
  };
  $("regions").replaceChildren(...source.regions.map((region, i) => el("li", { onfocusout: (event) => sorted(event, region) },
    el("span", {}, "from"), number(region, 0, `Part ${i + 1} begins, in seconds`),
    el("span", {}, "to"), number(region, 1, `Part ${i + 1} ends, in seconds`),
    el("button", { type: "button", class: "quiet", "aria-label": `Hear part ${i + 1}`, onclick: () => { sourcePlayer.seek(region[0]); sourcePlayer.play(); } }, "▶"),
    el("button", { type: "button", class: "quiet", "aria-label": `Unmark part ${i + 1}`, onclick: () => { source.regions.splice(i, 1); source.draw(); regions(); } }, "✕"),
  )));
  source.draw();
}

async function ask() {
  fail("");
  const make = $("make");
  if (!api || make.ariaDisabled === "true") return;
  const asked = structuredClone(settings());
  const [lacks, place] = lacking(asked) ?? [];
  place?.focus();
  if (lacks) return fail(lacks);
  make.ariaDisabled = "true"; // not `disabled`, which would lose the focus
  try {
    const { id } = await api.ask(asked);
    page.settings.set(id, asked);
    $("empty").hidden = true;
    say("Asked for");
    watch(id);
    keep();
    api.look();
  } catch (error) {
    blame(error.message);
  }
  make.ariaDisabled = "false";
}

// How it goes

/** The state of all pieces; gives whether more is to come. */
function news(pieces) {
  const before = new Map(page.pieces.map((one) => [one.id, one]));
  page.pieces = pieces;
  for (const piece of pieces) {
    const was = before.get(piece.id);
    if (!living(piece) && (!was || living(was))) ended(piece);
  }
  render();
  return Boolean(page.due) || pieces.some(living);
}

const living = (piece) => piece.status === "waiting" || piece.status === "running";

/** Once for each piece; what was wrong with what was asked before it is told no more. */
function ended(piece) {
  if ($("error").textContent === page.blame) fail("");
  if (piece.status === "failed") blame(piece.error);
  if (piece.status === "done") page.due = piece.id;
}

/** What is done is shown once nothing else plays; progress is that of the piece watched, else of the oldest. */
function render() {
  const alive = page.pieces.filter(living);
  const piece = page.followed = alive.find((one) => one.id === page.active) ?? alive[0];
  $("progress").hidden = $("stop").hidden = !piece;
  if (page.due && (page.playing === page.due || !player.playing)) show(page.due);
  if (piece) follow(piece);
  history();
}

function follow(piece) {
  $("stop").textContent = piece.status === "waiting" ? "Do not make it" : piece.stopping ? "Stopping …" : "Stop, keep the best";
  if (page.playing === piece.id || !(page.pinned || player.playing)) {
    if (piece.plain) bring(piece, "plain", "plain");
    if (piece.draft) bring(piece, "draft", `draft-${piece.draft}`);
  }
  progress(piece);
}

/** Follow a piece, and hear it once nothing else plays. */
function watch(id) {
  page.active = id;
  page.pinned = false;
  render();
}

function progress(piece) {
  const bar = $("bar");
  if (piece.status === "waiting") {
    bar.removeAttribute("value");
    $("told").textContent = piece.ahead ? `${piece.ahead} before yours` : "Next";
  } else if (!piece.iteration) {
    bar.removeAttribute("value");
    $("told").textContent = `${piece.stage ?? "working"} …`.replace(/^./, (sign) => sign.toUpperCase());
  } else {
    const part = piece.searches > 1 ? `Part ${piece.search} of ${piece.searches}, t` : "T";
    bar.value = (piece.search - 1 + piece.iteration / piece.iterations) / piece.searches;
    $("told").textContent = `${part}ry ${piece.iteration} of at most ${piece.iterations} · loss ${piece.loss?.toPrecision(3)} · ${left(piece.left)}${piece.draft ? ` · press ${page.playing === piece.id ? "▶" : "Watch"} to hear it so far` : ""}`;
  }
  $("so-far").replaceChildren(...Object.entries(piece.figures ?? {}).map(([name, told]) => el("li", {}, el("b", {}, title(name)), ` ${told}`)));
}

const left = (seconds) => (seconds >= 90 ? `at most ${Math.round(seconds / 60)} min left` : `at most ${Math.round(seconds)} s left`);

/** What is heard of a part while it is redone is only it and what is around it: where that is. */
function place(piece) {
  const { task, regions } = page.settings.get(piece.id) ?? {};
  const [start] = (task === "redo" && regions.toSorted(([a], [b]) => a - b)[piece.search - 1]) || [];
  return start === undefined ? "" : `, around ${start.toFixed(1)} s`;
}

/** A version into the player, each only once; another piece begins with an empty one. */
async function bring(piece, name, kind) {
  if (page.playing !== piece.id) empty(piece.id);
  if (page.loaded[name] === kind) return;
  page.loaded[name] = kind;
  if (name === "draft") VERSIONS.draft = `So far${place(piece)}`;
  await player.load(name, api.file(piece.id, kind));
  if (name === "draft" && player.current === "plain" && !player.playing) player.show("draft");
}

/** An empty player for a piece. */
function empty(id) {
  page.playing = id;
  page.loaded = {};
  VERSIONS.plain = (page.settings.get(id)?.task ?? "make") === "make" ? "Left alone" : "Before";
  player.clear();
  clearResult();
}

function clearResult() {
  page.shown = null;
  for (const id of ["figures", "downloads", "panels", "seams"]) $(id).replaceChildren();
  $("unheard").hidden = $("spectrogram").hidden = true;
  $("command-card").hidden = true;
}

// What came out

async function show(id, play = false) {
  page.shown = id;
  page.pinned = true;
  page.due = null;
  let result;
  try {
    result = page.results.get(id) ?? (await api.result(id));
  } catch (error) {
    return fail(error.message);
  }
  page.results.set(id, result);
  if (page.playing !== id) empty(id);
  else clearResult();
  page.shown = id;
  page.regions = result.regions ?? [];
  page.loaded.music = "audio";
  const heard = await player.load("music", api.file(id, "audio"));
  if (page.shown !== id) return; // another is, meanwhile
  player.while(() => { player.current = heard ? "music" : null; player.sounds.delete("draft"); });
  if (play) player.play();
  if (result.compares && page.loaded.plain !== "plain") {
    page.loaded.plain = "plain";
    player.load("plain", api.file(id, "plain"));
  }
  $("spectrogram").src = api.file(id, "spectrogram");
  $("spectrogram").alt = "Spectrogram: low sounds below, high sounds above, over time";
  $("spectrogram").hidden = false;
  $("figures").replaceChildren(...outcome(result));
  $("downloads").replaceChildren(...["audio", "plot", "report", "run"].map((kind) =>
    el("a", { class: "button quiet", href: api.file(id, kind, true), download: "", "data-kind": kind }, `↓ ${{ audio: "Sound", plot: "Picture", report: "Report", run: "Run" }[kind]}`)),
    el("button", { type: "button", class: "quiet", onclick: () => edit(id) }, "Edit this"));
  transport();
  $("seams").replaceChildren(...(result.seams ?? []).map(([at], i) => seam(at, i, result)));
  $("panels").replaceChildren(...result.panels.map((panel) => panelCard(panel, result.figures.find((one) => one.name === panel.name), result.edit ? undefined : result.seconds)));
  $("command").textContent = result.command;
  $("command-card").hidden = false;
  history();
  const figures = result.figures.map(({ name, after }) => `${title(name)} ${after}`).join(", ");
  say(result.broken ? `Not whole: ${unmade(result)}` : `Finished: ${figures || "done"}`);
}

const unmade = (result) => `what comes after could not be made: ${result.broken}`;

function outcome(result) {
  const ended = { tolerance: "as asked", interrupted: "stopped, the best so far", stalled: "as close as it gets", time: "time was up", iterations: "tried to the end", diverged: "broke off, the best before" };
  const told = result.loss.length ? [["Ended", ended[result.stopped]], ["Took", `${result.iterations} tries, ${Math.round(result.took)} s`]] : [["Made in", `${short(result.took, 1)} s`]];
  if (result.read) told.push(["Heard in it", result.prompt]);
  if (result.broken) told.push(["Not whole", unmade(result)]);
  for (const note of result.notes) told.push(["Note", note]);
  if (result.clipped) told.push(["Too loud", `${result.clipped} samples cut off`]);
  for (const { name, before, after } of result.figures) if (!result.panels.some((panel) => panel.name === name)) told.push([title(name), before ? `${before} → ${after}` : after]);
  return told.map(([name, text]) => el("li", {}, el("b", {}, name), ` ${text}`));
}

/** A join, to hear on repeat. */
function seam(at, index, result) {
  const wrap = result.loops && at === 0;
  const press = ({ currentTarget }) => {
    const was = currentTarget.getAttribute("aria-pressed") === "true";
    released();
    if (was) {
      player.around(null);
      player.pause();
      return;
    }
    currentTarget.setAttribute("aria-pressed", "true");
    if (wrap) {
      player.while(() => { player.span = null; player.repeat = true; });
      $("repeat").checked = true;
      player.seek(Math.max(0, result.seconds - 1.5));
    } else player.around([Math.max(0, at - 1.2), Math.min(result.seconds, at + 1.2)]);
    player.play();
  };
  return el("button", { type: "button", "aria-pressed": "false", onclick: press }, wrap ? "↻ Hear the end meet the beginning" : `↻ Hear the seam at ${short(at, 1)} s`);
}

/** No seam is heard over and over any more. */
function released() {
  for (const button of $("seams").children) button.setAttribute("aria-pressed", "false");
}

/** Hear the result from a place on. */
function go(at) {
  player.seek(at);
  if (!player.span) released();
}

function transport() {
  const names = Object.keys(VERSIONS).filter((name) => player.sounds.has(name));
  const done = $("downloads").hasChildNodes();
  $("player").hidden = !names.length && !done;
  $("sound").hidden = !names.length;
  $("unheard").hidden = !done || names.includes("music");
  if (!names.length) return;
  $("play").textContent = player.playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  const focused = document.activeElement?.dataset?.version;
  $("versions").replaceChildren(...names.map((name) => el("button", { type: "button", "data-version": name, "aria-pressed": String(player.current === name), onclick: () => player.show(name) }, VERSIONS[name])));
  if (focused) $("versions").querySelector(`[data-version=${focused}]`)?.focus();
  if (page.drawn !== player.sound && player.sound) {
    page.drawn = player.sound;
    wave.show(columns(player.sound), player.seconds, player.current === "music" ? page.regions ?? [] : []);
    wave.moveTo(player.now());
  }
}

function moved(at) {
  wave.moveTo(at);
  $("panels").style.setProperty("--played", at / (player.seconds || 1));
  $("clock").textContent = `${at.toFixed(1)} / ${player.seconds.toFixed(1)} s`;
}

/** The lowest and highest sample of each moment of a sound. */
function columns(sound) {
  const samples = sound.getChannelData(0);
  const count = Math.min(COLUMNS, samples.length);
  return Array.from({ length: count }, (_, i) => {
    let low = 0, high = 0;
    for (let j = Math.floor((i * samples.length) / count); j < Math.floor(((i + 1) * samples.length) / count); j++) {
      low = Math.min(low, samples[j]);
      high = Math.max(high, samples[j]);
    }
    return [low, high];
  });
}

/** The pieces there are; made anew only where one has changed, so that no press or focus is lost. */
function history() {
  const pieces = [...page.gone, ...page.pieces];
  const now = JSON.stringify(pieces.map(({ id, status }) => [id, status, id === page.shown, page.settings.has(id)]));
  if (now === page.listed) return;
  page.listed = now;
  $("history-card").hidden = !pieces.length;
  const ended = { waiting: "waits", running: "is being made", done: "", failed: "did not work", dropped: "was taken back", gone: "no longer in the studio" };
  $("history").replaceChildren(...pieces.reverse().map((piece) => {
    const asked = page.settings.get(piece.id) ?? {};
    const wishes = Object.keys(CONTROLS).filter((name) => asked[name]).map((name) => title(CONTROLS[name]).toLowerCase());
    const kind = { redo: "redone", continue: "continued", loop: "loop" }[asked.task];
    const what = [asked.recording_name, kind, ...wishes, `seed ${asked.seed}`, piece.broken ? "not whole" : ended[piece.status], piece.error].filter(Boolean).join(", ");
    return el("li", { class: piece.id === page.shown ? "shown" : "" },
      el("span", {}, el("b", {}, asked.prompt || "as it sounds"), el("small", {}, what)),
      piece.status === "done" ? el("button", { type: "button", onclick: () => show(piece.id, true) }, "Hear") : null,
      living(piece) ? el("button", { type: "button", onclick: () => { if (page.playing !== piece.id) player.pause(); watch(piece.id); } }, "Watch") : null,
      el("button", { type: "button", onclick: ({ currentTarget }) => { apply(asked); say("Settings are back"); flash(currentTarget, "✓ Back"); } }, "Settings"));
  }));
}

function fail(text) {
  $("error").textContent = text;
}

/** Tell what is wrong with what was asked, until something asked has ended. */
function blame(text) {
  page.blame = text;
  fail(text);
}

async function copy(text, what, button) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
    flash(button, "✓ Copied");
  } catch {
    window.prompt(`${what}: copy it from here`, text);
  }
}

function download(name, text) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function theme(name) {
  if (name === "light" || name === "dark") {
    document.documentElement.dataset.theme = name;
    stored("localStorage", "ditto-theme", name);
  }
  for (const canvas of document.querySelectorAll("#panels canvas")) canvas.repaint?.();
  wave?.draw();
  source?.draw();
}

begin();
