// Clips wait here, go to the API one at a time, and are asked for until they are answered. Then they play in the page, from the
// person's own disk: nothing comes back but the answer.

import { bindClip } from "./clip_card.js";
import { GONE, TRIES, headersFor, isPassing, post, refusal } from "./queue.js";
import { addButton, focusOn, fromTemplate, problem, state, tooLarge } from "./queue.js";
import { bearer } from "./token.js";

const ASK_MS = 600;
// So many failed questions in a row are a bad connection; more are a server that is gone.
const MOST_FAILED = 5;
// Some systems know no type for these, or one that does not begin with "video".
const VIDEO_NAMES = /\.(mkv|mts|m2ts|ts|mxf|avi|flv|wmv|asf|3gp|3g2|ogv|mpe?g|mp4|m4v|mov|webm)$/i;
const MAY_MOVE = ["image/gif", "image/png", "image/webp"];
const SHORTEN = "Cut out the part that matters, or save it smaller.";

/** Whether a file is sent as a clip at once. Pictures that move are sent as pictures first, where they fit: the server tells. */
export function isVideo(file, mostOfPicture, mostOfClip) {
  const fitsAsClip = file.size > mostOfPicture && file.size <= mostOfClip && MAY_MOVE.includes(file.type);
  return fitsAsClip || file.type.startsWith("video/") || VIDEO_NAMES.test(file.name);
}

export class Clips {
  #waiting = [];
  #job = null;
  #urls = [];
  #options;

  /** @param options address, pages, maxBytes, seconds, token, nextNumber(), show(card), shown(card), removed(), say(text) */
  constructor(options) {
    this.#options = options;
    window.addEventListener("pagehide", () => this.#job && this.#delete(this.#job));
  }

  /** Takes a clip; `place` is a card that its own replaces. */
  add(file, place) {
    const job = { file, name: file.name || "clip", tries: 0 };
    const isTooLarge = file.size > this.#options.maxBytes;
    job.card = isTooLarge ? problem(job.name, tooLarge(file, this.#options.maxBytes), SHORTEN) : this.#pending(job);
    if (place) place.replaceWith(job.card);
    else this.#options.show(job.card);
    if (isTooLarge) this.#options.shown(job.card);
    else this.#enqueue(job);
  }

  clear() {
    this.#waiting = [];
    if (this.#job) this.#end(this.#job);
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.#urls = [];
  }

  #pending(job) {
    const card = fromTemplate("pending-template");
    card.querySelector("h3").textContent = job.name;
    addButton(card, "Cancel", () => {
      this.#waiting = this.#waiting.filter((other) => other !== job);
      this.#end(job);
      card.remove();
      this.#options.say(`${job.name}: cancelled`);
      this.#options.removed();
    });
    return card;
  }

  #enqueue(job) {
    state(job, "Waiting", null);
    this.#waiting.push(job);
    this.#next();
  }

  async #next() {
    if (this.#job || !this.#waiting.length) return;
    const job = (this.#job = this.#waiting.shift());
    job.stop = new AbortController();
    try {
      const card = await this.#answer(job);
      if (!job.stop.signal.aborted) this.#place(job, card);
    } catch (error) {
      if (!job.stop.signal.aborted) await this.#failed(job, error);
    }
    if (this.#job === job) this.#job = null;
    this.#next();
  }

  /** The card of the answer. Throws refusals, as problem documents, and errors of the network. */
  async #answer(job) {
    const { id } = await this.#send(job);
    job.address = `${this.#options.address}/${id}`;
    let began;
    let said = 0;
    for (let failed = 0; ; await pause(ASK_MS, job.stop.signal)) {
      let shown;
      try {
        shown = await (await this.#ask(job, job.address)).json();
        if (shown.state === "done") return await this.#card(job, id);
        failed = 0;
      } catch (error) {
        failed += 1;
        if (error.code || failed > MOST_FAILED) throw error;
        continue;
      }
      if (shown.state === "working") began ??= Date.now();
      const percent = Math.round(100 * shown.progress);
      tell(job, shown.state, percent, (Date.now() - began) * (1 / shown.progress - 1));
      if (percent >= said + 25 && percent < 100) {
        said = percent - (percent % 25);
        this.#options.say(`${job.name}: ${percent} % of the frames`);
      }
    }
  }

  async #card(job, id) {
    state(job, "Fetching the answer", null);
    const reply = await this.#ask(job, `${this.#options.pages}/${id}/card?number=${this.#options.nextNumber()}`);
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    this.#delete(job); // all of it is here now
    return document.adoptNode(page.querySelector("article.card"));
  }

  /** Sends a clip; what the server says of it. */
  async #send(job) {
    const request = await post(job, this.#options, "clip", { heatmap: "png", key_frames: "jpeg" }, "Sent");
    if (request.status === 202) return JSON.parse(request.responseText);
    const wait = Number(request.getResponseHeader("Retry-After"));
    throw Object.assign(refusal(request.status, request.responseText, SHORTEN), { wait });
  }

  /** Asks until there is a reply that is no passing refusal. */
  async #ask(job, address) {
    for (let tries = 1; ; tries += 1) {
      const reply = await fetch(address, { headers: await headersFor(job, this.#options.token), signal: job.stop.signal });
      if (reply.ok) return reply;
      if (reply.status === 401 && this.#options.token.refuse(job.token)) continue;
      const wait = Number(reply.headers.get("Retry-After"));
      if (!wait || tries === TRIES) throw refusal(reply.status, await reply.text(), SHORTEN);
      state(job, `The server is busy; trying again in ${wait} s`, null);
      await pause(1000 * wait, job.stop.signal);
    }
  }

  /** Nobody waits for the answer any more. */
  #end(job) {
    job.stop?.abort();
    this.#delete(job);
  }

  /** Has the server forget a clip and its answer; also while the page is left. */
  #delete(job) {
    if (!job.address) return;
    fetch(job.address, { method: "DELETE", headers: bearer(job.token), keepalive: true }).catch(() => {});
    job.address = null;
  }

  #place(job, card) {
    const hadFocus = job.card.contains(document.activeElement);
    job.card.replaceWith(card);
    if (card.matches(".clip")) {
      const url = card.querySelector(".player") && URL.createObjectURL(job.file);
      if (url) this.#urls.push(url);
      bindClip(card, url);
    }
    this.#options.shown(card);
    if (hadFocus) focusOn(card);
  }

  async #failed(job, error) {
    this.#delete(job);
    if (error.code === "unauthorized" && this.#options.token.refuse(job.token)) {
      this.#waiting.unshift(job);
      return;
    }
    if (isPassing(job, error.code, error.wait)) {
      this.#waiting.unshift(job);
      await pause(1000 * error.wait, job.stop.signal).catch(() => {}); // the clips behind it would be refused as well
      return;
    }
    const what = error.code ? `${error.title}. ${error.detail}` : error.message;
    const card = problem(job.name, what, error.hint ?? GONE, error.code);
    addButton(card, "Try again", () => {
      job.tries = 0;
      job.card = this.#pending(job);
      card.replaceWith(job.card);
      this.#options.say(`Checking ${job.name}`);
      focusOn(job.card);
      this.#enqueue(job);
    });
    this.#place(job, card);
  }
}

/** Says on a waiting card what the server does; `left` is about how many milliseconds more that takes. */
function tell(job, stage, percent, left) {
  if (stage === "waiting") state(job, "The clip waits for others before it", null);
  else if (!percent) state(job, "Opening the clip", null);
  else if (percent === 100) state(job, "Fetching the moments that decided", null);
  else {
    const seconds = Math.ceil(left / 1000);
    state(job, `Looking at its frames, ${percent} %, about ${seconds} s left`, percent / 100);
  }
}

/** Waits; ends at once, with an error, when the signal does. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new Error("stopped"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
  });
}
