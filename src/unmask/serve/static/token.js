// The token that the server asks for. Nothing is sent before there is one that may be right; if the server refuses it, that is said
// once, at its field, and all that waits goes on when another one is given.

// What an Authorization header carries, and every token is made of.
const GOOD = /^[!-~]+$/;

export class Token {
  #field;
  #note;
  #refused = "";
  #waiting = new Set();

  /** @param field where it is given, null where the server asks for none; note where to say what is wrong with it */
  constructor(field, note) {
    [this.#field, this.#note] = [field, note];
    field?.addEventListener("change", () => this.given());
  }

  /** Why nothing is sent with what is in the field; empty where that may be right, or none is asked for. */
  get wrong() {
    const token = this.#value;
    if (!this.#field) return "";
    if (!token) return "Give the token; what was chosen waits for it.";
    if (!GOOD.test(token)) return "A token has plain letters, digits and signs, and no spaces; this one has something else.";
    return token === this.#refused ? "The server refused this token; what was chosen waits for the right one." : "";
  }

  /** The token, once there is one to send; empty where none is asked for. Throws when the signal ends the waiting. */
  async ready(signal) {
    while (this.wrong) {
      this.#ask();
      await new Promise((resolve, reject) => {
        this.#waiting.add(resolve);
        signal.addEventListener("abort", () => {
          this.#waiting.delete(resolve);
          if (!this.#waiting.size) this.#say(""); // nothing waits any more
          reject(signal.reason);
        });
      });
    }
    if (this.#waiting.size) this.given();
    signal.throwIfAborted();
    return this.#value;
  }

  /** The server refused a token. Returns whether another one can be given. */
  refuse(token) {
    this.#refused = token;
    return this.#field !== null;
  }

  /** Goes on with what is in the field now. */
  given() {
    this.#refused = "";
    if (this.#field) this.#say("");
    this.#waiting.forEach((go) => go());
    this.#waiting.clear();
  }

  get #value() {
    return this.#field?.value.trim() ?? "";
  }

  #ask() {
    if (this.#note.textContent === this.wrong) return;
    this.#say(this.wrong);
    this.#field.focus();
  }

  #say(text) {
    this.#note.textContent = text;
    this.#field.setAttribute("aria-invalid", String(Boolean(text)));
  }
}

/** The headers that show a token. */
export function bearer(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}
