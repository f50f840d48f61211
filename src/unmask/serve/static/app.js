// The page with script: pictures and clips by choosing, dropping, pasting or a sample; answers one by one as they are ready.
// Without this file the form still works, for one picture or several at once.

import { Queue } from "./queue.js";
import { Clips, isVideo } from "./clips.js";
import { bindClip } from "./clip_card.js";
import { bind, copy, documents, download, texts } from "./cards.js";
import { Overview } from "./overview.js";
import { Token } from "./token.js";

const $ = (id) => document.getElementById(id);
const form = $("form");
const results = $("results");
const cards = $("cards");

document.documentElement.classList.add("script");

const overview = new Overview();
let number = cards.querySelectorAll(".answer").length;
const token = new Token($("token"), $("token-note"));
const [mostOfPicture, mostOfClip] = [Number(form.dataset.maxBytes), Number(form.dataset.maxClipBytes)];
const shared = {
  token,
  say,
  nextNumber: () => (number += 1),
  show(card) {
    results.hidden = false;
    cards.append(card);
  },
  shown(card) {
    if (card.matches(".answer")) {
      bind(card, say);
      overview.add(card);
    }
    const name = card.querySelector("h3")?.textContent ?? "";
    const mark = [...card.querySelectorAll(".mark b")].map((part) => `${part.textContent} `).join("");
    const answer = card.querySelector(".verdict, .what")?.textContent.replace(/\s+/g, " ").replace(/[●◆▲–]/g, "") ?? "";
    say(`${name}: ${mark}${answer.trim()}`);
  },
};
const clips = new Clips({
  ...shared,
  address: form.dataset.clips,
  pages: form.dataset.clipPages,
  maxBytes: mostOfClip,
  seconds: Number(form.dataset.clipSeconds),
  removed() {
    results.hidden = !cards.childElementCount;
    $("files").focus();
  },
});
const queue = new Queue({
  ...shared,
  address: form.dataset.card,
  maxBytes: mostOfPicture,
  seconds: Number(form.dataset.seconds),
  clip: (file, card) => clips.add(file, card), // a picture that moves
});

function say(text) {
  $("status").textContent = text;
}

function take(files) {
  const list = [...files];
  if (!list.length) return;
  const before = cards.lastElementChild;
  overview.showAll();
  list.forEach((file) => (isVideo(file, mostOfPicture, mostOfClip) ? clips : queue).add(file));
  say(list.length === 1 ? `Checking ${list[0].name}` : `Checking ${list.length} files`);
  // What was just asked for comes into view: the new cards, or the overview of many; or else the token's field.
  if (!token.wrong) (before && list.length < 4 ? before.nextElementSibling : results).scrollIntoView({ block: "start" });
}

/** Nothing is fetched from anywhere: who drops or pastes a picture's address is told what to do instead. */
function refuseAddress(text) {
  const address = text.trim().split(/\s/)[0];
  if (!/^(https?|file):\/\/./i.test(address)) return;
  const hint = /^file/i.test(address) ? "Choose it with the button instead." : "Save the picture and drop it here.";
  const card = queue.fail(address, "This page fetches nothing from other places.", hint);
  card.scrollIntoView({ block: "nearest" });
}

// Choosing
$("files").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = ""; // so that the same file can be chosen again
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const sample = event.submitter;
  if (sample?.name !== "sample") {
    token.given(); // by the Enter key
    return;
  }
  try {
    const reply = await fetch(sample.dataset.picture);
    if (!reply.ok) throw new Error(String(reply.status));
    take([new File([await reply.blob()], `${sample.value}.jpg`, { type: "image/jpeg" })]);
  } catch {
    queue.fail(`${sample.value}.jpg`, "The sample could not be fetched.", "Check that the server is still running.");
  }
});

// Dropping, anywhere on the page
let depth = 0;
const isFiles = (event) => event.dataTransfer?.types.some((type) => type === "Files" || type === "text/uri-list");
document.addEventListener("dragenter", (event) => {
  if (!isFiles(event)) return;
  event.preventDefault();
  depth += 1;
  $("drop").classList.add("over");
});
document.addEventListener("dragover", (event) => {
  if (isFiles(event)) event.preventDefault();
});
document.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (!depth) $("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  if (!isFiles(event)) return;
  event.preventDefault();
  depth = 0;
  $("drop").classList.remove("over");
  if (!event.dataTransfer.files.length) refuseAddress(event.dataTransfer.getData("text/uri-list"));
  const items = [...event.dataTransfer.items];
  const folders = items.map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory);
  folders.forEach((entry) => queue.fail(entry.name, "This is a folder.", "Open it and drop the files in it."));
  const names = new Set(folders.map((entry) => entry.name));
  take([...event.dataTransfer.files].filter((file) => !names.has(file.name)));
});

// Pasting; a picture from the clipboard has no name of its own
let pasted = 0;
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length) {
    if (!event.target.matches("input")) refuseAddress(event.clipboardData?.getData("text") ?? "");
    return;
  }
  event.preventDefault();
  take(
    files.map((file) => {
      pasted += 1;
      const ending = file.name.includes(".") ? file.name.split(".").pop() : file.type.split("/").pop();
      return file.name && file.name !== "image.png"
        ? file
        : new File([file], `pasted-${pasted}.${ending || "png"}`, { type: file.type });
    }),
  );
});

// All answers together
$("copy-all").addEventListener("click", (event) => copy(texts(cards), event.currentTarget, say));
$("download-all").addEventListener("click", () => download(documents(cards), "unmask.json"));
$("print").addEventListener("click", () => window.print());
$("clear").addEventListener("click", () => {
  queue.clear();
  clips.clear();
  cards.replaceChildren();
  results.hidden = true;
  overview.clear();
  say("Cleared");
  $("files").focus();
});
window.addEventListener("beforeprint", () => {
  $("print-date").textContent = new Date().toLocaleString(undefined, { dateStyle: "long", timeStyle: "long" });
});

cards.querySelectorAll(".answer").forEach((card) => {
  bind(card, say);
  overview.add(card);
});
cards.querySelectorAll(".clip").forEach((card) => bindClip(card, null)); // sent without script: the clip is not at hand
