// Pictures wait here and go to the server two at a time. A busy server is asked again when it says so.

import { bearer } from "./token.js";

const AT_ONCE = 2;
export const TRIES = 8;
export const GONE = "Check the network and that the server is still running.";
// Refusals that the next try may well not meet. One that took too long once would most likely do so again.
const PASSING = ["busy", "too-often", "too-many-tokens", "ending"];
const SMALLER = "Save the picture smaller, as JPEG for instance.";

export class Queue {
  #waiting = [];
  #running = new Set();
  #pause = 0;
  #options;

  /** @param options address, maxBytes, seconds, token, nextNumber(), show(card), shown(card), clip(file, card), say(text) */
  constructor(options) {
    this.#options = options;
  }

  add(file) {
    const name = file.name || "picture";
    if (file.size > this.#options.maxBytes) {
      this.fail(name, tooLarge(file, this.#options.maxBytes), SMALLER);
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
    this.#running.forEach((job) => job.stop.abort());
    this.#running.clear();
    this.#rest(0);
  }

  #enqueue(job) {
    state(job, "Waiting", null);
    this.#waiting.push(job);
    this.#next();
  }

  #next() {
    while (!this.#pause && this.#waiting.length && this.#running.size < AT_ONCE) {
      const job = this.#waiting.shift();
      this.#running.add(job);
      this.#send(job);
    }
  }

  /** Sends nothing for so many seconds: what is refused for now alone would have all the rest refused, too. */
  #rest(seconds) {
    clearTimeout(this.#pause);
    const go = () => {
      this.#pause = 0;
      this.#next();
    };
    this.#pause = setTimeout(go, 1000 * seconds);
  }

  async #send(job) {
    job.stop = new AbortController();
    let request, card;
    try {
      request = await post(job, this.#options, "picture", { number: job.number }, "Looking at it");
      card = received(request);
    } catch (error) {
      if (!job.stop.signal.aborted) this.#done(job, problem(job.name, error.message, error.hint), true);
      return;
    }
    this.#answered(job, card, Number(request.getResponseHeader("Retry-After")));
  }

  #answered(job, card, wait) {
    const code = card.dataset.code;
    if (code === "unauthorized" && this.#options.token.refuse(job.token)) {
      this.#send(job);
      return;
    }
    if (code === "is-clip") {
      this.#running.delete(job);
      if (job.card.isConnected) this.#options.clip(job.file, job.card);
      this.#next();
      return;
    }
    if (isPassing(job, code, wait)) {
      this.#running.delete(job);
      this.#waiting.unshift(job);
      this.#rest(wait);
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

/** The card of a reply. What refuses a request before the page sees it does so in JSON. Throws where there is neither. */
function received(request) {
  if (request.getResponseHeader("Content-Type") === "application/problem+json") {
    const { code, title, detail, hint } = JSON.parse(request.responseText);
    return problem(title, detail, hint, code);
  }
  const card = new DOMParser().parseFromString(request.responseText, "text/html").querySelector("article.card");
  if (!card) throw refusal(request.status, request.responseText, SMALLER);
  return card;
}

/** Sends a job's file; the request, once it is answered. Only an XMLHttpRequest tells how much is sent. */
export async function post(job, { address, seconds, token }, name, fields, sent) {
  const headers = await headersFor(job, token);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const fail = (what, hint) => reject(Object.assign(new Error(what), { hint }));
    const body = new FormData();
    Object.entries(fields).forEach(([name, value]) => body.append(name, value));
    body.append(name, job.file, job.name);
    request.open("POST", address);
    request.timeout = 1000 * seconds;
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.onprogress = (event) => {
      const share = event.lengthComputable ? event.loaded / event.total : 0;
      state(job, share < 1 ? `Sending, ${Math.round(100 * share)} %` : sent, share < 1 ? share : null);
    };
    request.onload = () => resolve(request);
    request.onerror = () => fail("The server could not be reached, or the file could not be read.", GONE);
    request.ontimeout = () => fail("The server did not answer in time.", "Try again later, or over a faster connection.");
    job.stop.signal.addEventListener("abort", () => {
      request.abort();
      fail("stopped");
    });
    request.send(body);
    state(job, "Sending", 0);
  });
}

/** The headers of a job's next request, once there is a token for them. */
export async function headersFor(job, token) {
  if (token.wrong) state(job, "Waiting for the access token", null);
  job.token = await token.ready(job.stop.signal);
  return bearer(job.token);
}

/** Whether a refused job is tried again in so many seconds, and says so on its card. */
export function isPassing(job, code, wait) {
  if (code !== "too-often") job.tries += 1; // that ends by itself, whatever else waits
  const again = PASSING.includes(code) && wait > 0 && job.tries < TRIES;
  if (again) state(job, `The server is busy; trying again in ${wait} s`, null);
  return again;
}

/** Why a request was refused: the server's problem document, or an error where something before it refused it. */
export function refusal(status, text, smaller) {
  try {
    const reply = JSON.parse(text);
    if (reply.code) return reply;
  } catch {} // of no JSON
  const isTooLarge = status === 413;
  const what = isTooLarge ? "The file is too large for what stands before the server." : "The server gave no answer.";
  return Object.assign(new Error(what), { hint: isTooLarge ? smaller : GONE });
}

/** The card of a refusal or a failure; some hints of the API are for programmers, and the page has others for people. */
export function problem(name, what, hint, code = "") {
  const card = fromTemplate("problem-template");
  card.dataset.code = code;
  card.querySelector("h3").textContent = name;
  card.querySelector(".what").textContent = what;
  card.querySelector(".hint").textContent = JSON.parse(document.getElementById("problem-template").dataset.hints)[code] ?? hint;
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
