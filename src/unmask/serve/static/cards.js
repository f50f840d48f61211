// What can be done with an answer: the heatmap's opacity, choosing a face, copying, saving.

import { bindFaces } from "./faces.js";

/** Makes an answer's card work. */
export function bind(card, say) {
  const slider = card.querySelector(".opacity");
  slider?.addEventListener("input", () => {
    card.querySelectorAll(".heat").forEach((heat) => heat.setAttribute("opacity", String(slider.value / 100)));
    card.querySelector(".opacity-text").textContent = `${slider.value} %`;
  });
  bindFaces(card, say);
  card.querySelector(".copy")?.addEventListener("click", (event) => {
    copy(card.querySelector("pre").textContent, event.currentTarget, say);
  });
}

/** All answers as text, and why others are none. */
export function texts(root) {
  const failure = (card) => `${card.querySelector("h3").textContent}: ${card.querySelector(".what").textContent}\n`;
  const parts = [...root.querySelectorAll(".as-text pre, .problem")];
  return parts.map((part) => (part.matches("pre") ? part.textContent : failure(part))).join("\n");
}

/** All answers, one or more, as one JSON document: that of the command line for the same pictures, with heatmaps and provenance. */
export function documents(root) {
  const all = [...root.querySelectorAll("a.json")].map((link) => {
    const bytes = Uint8Array.from(atob(link.getAttribute("href").split(",")[1]), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  });
  const summary = Object.fromEntries(
    Object.keys(all[0].summary).map((name) => [name, all.reduce((sum, document) => sum + document.summary[name], 0)]),
  );
  return `${JSON.stringify({ ...all[0], findings: all.flatMap((document) => document.findings), summary }, null, 2)}\n`;
}

/** Saves a text as a file. */
export function download(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Copies a text and says so on the button. Over plain http, on an intranet, browsers offer only the old way. */
export async function copy(text, button, say) {
  let copied = true;
  try {
    if (text) await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    copied = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const before = button.dataset.label ?? button.textContent;
  button.dataset.label = before;
  button.textContent = !text ? "There is no answer yet" : copied ? "Copied" : "Copying is blocked";
  say(button.textContent);
  setTimeout(() => {
    button.textContent = before;
  }, 2000);
}
