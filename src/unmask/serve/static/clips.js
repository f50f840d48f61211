// Clips wait here, go to the API one at a time, and are asked for until they are answered. Then they play in the page, from the
// person's own disk: nothing comes back but the answer.

import { bindClip } from "./clip_card.js";
import { PASSING, TRIES, addButton, focusOn, fromTemplate, problem, state, tooLarge } from "./queue.js";
import { bearer } from "./token.js";

const ASK_MS = 600;
// So many failed questions in a row are a bad connection; more are a server that is gone.
const MOST_FAILED = 5;
// Some systems know no type for these, or one that does not begin with "video".
const VIDEO_NAMES = /\.(mkv|mts|m2ts|ts|mxf|avi|flv|wmv|asf|3gp|3g2|ogv|mpe?g|mp4|m4v|mov|webm)$/i;
const MAY_MOVE = ["image/gif", "image/png", "image/webp"];
const GONE = "Check the network and that the server is still running.";
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
      if (!job.stop.signal.aborted) this.#failed(job, error);
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

  /** Sends a clip; what the server says of it. Only an XMLHttpRequest tells how much is sent. */
  async #send(job) {
    const headers = await this.#headers(job);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const body = new FormData();
      body.append("heatmap", "png");
      body.append("key_frames", "jpeg");
      body.append("clip", job.file, job.name);
      request.open("POST", this.#options.address);
      request.timeout = 1000 * this.#options.seconds;
      Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
      request.upload.onprogress = (event) => {
        const share = event.lengthComputable ? event.loaded / event.total : 0;
        state(job, share < 1 ? `Sending, ${Math.round(100 * share)} %` : "Sent", share < 1 ? share : null);
      };
      request.onload = () => {
        const reply = parsed(request.responseText);
        if (request.status === 413 && !reply.code) {
          Object.assign(reply, { message: "The clip is too large for what stands before the server.", hint: SHORTEN });
        }
        if (request.status === 202) resolve(reply);
        else reject(Object.assign(reply, { wait: Number(request.getResponseHeader("Retry-After")) }));
      };
      request.onerror = () => reject(new Error("The server could not be reached, or the file could not be read."));
      request.ontimeout = () => reject(new Error("The server did not answer in time."));
      job.stop.signal.addEventListener("abort", () => {
        request.abort();
        reject(new Error("stopped"));
      });
      request.send(body);
      state(job, "Sending", 0);
    });
  }

  /** Asks until there is a reply that is no passing refusal. */
  async #ask(job, address) {
    for (let tries = 1; ; tries += 1) {
      const reply = await fetch(address, { headers: await this.#headers(job), signal: job.stop.signal });
      if (reply.ok) return reply;
      if (reply.status === 401 && this.#options.token.refuse(job.token)) continue;
      const wait = Number(reply.headers.get("Retry-After"));
      if (!wait || tries === TRIES) throw parsed(await reply.text());
      state(job, `The server is busy; trying again in ${wait} s`, null);
      await pause(1000 * wait, job.stop.signal);
    }
  }

  async #headers(job) {
    if (this.#options.token.wrong) state(job, "Waiting for the access token", null);
    job.token = await this.#options.token.ready();
    job.stop.signal.throwIfAborted();
    return bearer(job.token);
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
      const url = URL.createObjectURL(job.file);
      this.#urls.push(url);
      bindClip(card, url);
    }
    this.#options.shown(card);
    if (hadFocus) focusOn(card);
  }

  #failed(job, error) {
    this.#delete(job);
    if (error.code === "unauthorized" && this.#options.token.refuse(job.token)) {
      this.#waiting.unshift(job);
      return;
    }
    job.tries += 1;
    if (PASSING.includes(error.code) && error.wait && job.tries < TRIES) {
      state(job, `The server is busy; trying again in ${error.wait} s`, null);
      setTimeout(() => job.card.isConnected && this.#enqueue(job), 1000 * error.wait);
      return;
    }
    const what = error.code ? `${error.title}. ${error.detail}` : error.message;
    const card = problem(job.name, what, error.hint ?? GONE);
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

/** A problem document; an error where the server, or something before it, sent none. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return new Error("The server gave no answer.");
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
