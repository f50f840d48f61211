// Pictures wait here and go to the server two at a time. A busy server is asked again when it says so.

import { bearer } from "./token.js";

const AT_ONCE = 2;
export const TRIES = 8;
// Refusals that the next try may well not meet. One that took too long once would most likely do so again.
export const PASSING = ["busy", "too-often", "too-many-tokens", "ending"];

export class Queue {
  #waiting = [];
  #running = new Set();
  #options;

  /** @param options address, maxBytes, seconds, token, nextNumber(), show(card), shown(card), clip(file, card), say(text) */
  constructor(options) {
    this.#options = options;
  }

  add(file) {
    const name = file.name || "picture";
    if (file.size > this.#options.maxBytes) {
      this.fail(name, tooLarge(file, this.#options.maxBytes), "Save the picture smaller, as JPEG for instance.");
      return;
    }
    const job = { file, name, number: this.#options.nextNumber(), card: fromTemplate("pending-template"), tries: 0 };
    job.card.querySelector("h3").textContent = name;
    this.#options.show(job.card);
    this.#enqueue(job);
  }

  /** Shows why there is no answer. With `again`, the person can try once more. */
  fail(name, what, hint, again) {
    const card = problem(name, what, hint);
    this.#options.show(card);
    this.#finish(card, again);
    return card;
  }

  clear() {
    this.#waiting = [];
    this.#running.forEach((job) => job.request?.abort());
    this.#running.clear();
  }

  #enqueue(job) {
    state(job, "Waiting", null);
    this.#waiting.push(job);
    this.#next();
  }

  #next() {
    while (this.#waiting.length && this.#running.size < AT_ONCE) {
      const job = this.#waiting.shift();
      this.#running.add(job);
      this.#send(job);
    }
  }

  async #send(job) {
    state(job, this.#options.token.wrong ? "Waiting for the access token" : "Waiting", null);
    job.token = await this.#options.token.ready();
    if (!this.#running.has(job)) return; // all was cleared meanwhile
    const request = new XMLHttpRequest();
    job.request = request;
    job.tries += 1;
    const body = new FormData();
    body.append("number", String(job.number));
    body.append("picture", job.file, job.name);
    request.open("POST", this.#options.address);
    request.timeout = 1000 * this.#options.seconds;
    Object.entries(bearer(job.token)).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.onprogress = (event) => {
      const share = event.lengthComputable ? event.loaded / event.total : 0;
      state(job, share < 1 ? `Sending, ${Math.round(100 * share)} %` : "Looking at it", share < 1 ? share : null);
    };
    request.onload = () => this.#answered(job, request);
    request.onerror = () => {
      const hint = "Check the network and that the server is still running.";
      this.#done(job, problem(job.name, "The server could not be reached, or the file could not be read.", hint), true);
    };
    request.ontimeout = () => {
      const hint = "Try again later, or over a faster connection.";
      this.#done(job, problem(job.name, "The server did not answer in time.", hint), true);
    };
    request.onabort = () => this.#running.delete(job);
    request.send(body);
    state(job, "Sending", 0);
  }

  #answered(job, request) {
    const card = received(request);
    if (!card) {
      this.#done(job, problem(job.name, "The server gave no answer.", "Try again in a moment."), true);
      return;
    }
    if (card.dataset.code === "unauthorized" && this.#options.token.refuse(job.token)) {
      this.#send(job);
      return;
    }
    const wait = Number(request.getResponseHeader("Retry-After"));
    if (card.dataset.code === "is-clip") {
      this.#running.delete(job);
      if (job.card.isConnected) this.#options.clip(job.file, job.card);
      this.#next();
      return;
    }
    if (PASSING.includes(card.dataset.code) && wait && job.tries < TRIES) {
      state(job, `The server is busy; trying again in ${wait} s`, null);
      this.#running.delete(job);
      setTimeout(() => job.card.isConnected && this.#enqueue(job), 1000 * wait);
      this.#next();
      return;
    }
    if (card.matches(".problem")) {
      const [title, what] = [card.querySelector("h3"), card.querySelector(".what")];
      what.textContent = `${title.textContent}. ${what.textContent}`;
      title.textContent = job.name;
    }
    this.#done(job, card, card.matches(".problem"));
  }

  #done(job, card, again) {
    this.#running.delete(job);
    const place = document.adoptNode(card);
    if (job.card.isConnected) {
      const hadFocus = job.card.contains(document.activeElement);
      job.card.replaceWith(place);
      this.#finish(place, again && (() => this.#again(job, place)));
      if (hadFocus) focusOn(place);
    }
    this.#next();
  }

  #again(job, place) {
    job.tries = 0;
    job.card = fromTemplate("pending-template");
    job.card.querySelector("h3").textContent = job.name;
    place.replaceWith(job.card);
    this.#options.say(`Checking ${job.name}`);
    focusOn(job.card);
    this.#enqueue(job);
  }

  #finish(card, again) {
    if (again) addButton(card, "Try again", again);
    this.#options.shown(card);
  }
}

/** The card of a reply, null if there is none. What refuses a request before the page sees it does so in JSON. */
function received(request) {
  if (request.getResponseHeader("Content-Type") === "application/problem+json") {
    const { code, title, detail, hint } = JSON.parse(request.responseText);
    const card = problem(title, detail, hint);
    card.dataset.code = code;
    return card;
  }
  return new DOMParser().parseFromString(request.responseText, "text/html").querySelector("article.card");
}

/** The card of a refusal or a failure. */
export function problem(name, what, hint) {
  const card = fromTemplate("problem-template");
  card.querySelector("h3").textContent = name;
  card.querySelector(".what").textContent = what;
  card.querySelector(".hint").textContent = hint;
  return card;
}

/** Says on a waiting card what is being done; `share` is how much of it is, null if nobody knows. */
export function state(job, text, share) {
  job.card.querySelector(".state").textContent = text;
  const bar = job.card.querySelector("progress");
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
}

/** Gives a card a button. */
export function addButton(card, text, act) {
  const tools = document.createElement("div");
  tools.className = "tools";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", act);
  tools.append(button);
  card.append(tools);
}

/** Puts the keyboard on a card, in place of what is gone. */
export function focusOn(card) {
  const title = card.querySelector("h3");
  title.tabIndex = -1;
  title.focus();
}

/** Why a file is not even sent. */
export function tooLarge(file, most) {
  return `This file is too large: ${(file.size / 1e6).toFixed(1)} MB, at most ${Math.round(most / 1e6)} MB are taken.`;
}

/** A new card of the page's own. */
export function fromTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}
