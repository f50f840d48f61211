// All answers at a glance: how many there are of each kind, which kinds are shown, and thumbnails, the most suspicious first.

// From so many answers on there is an overview.
const MANY = 4;

export class Overview {
  #results = document.getElementById("results");
  #list = document.getElementById("overview");
  #kinds = [...document.querySelectorAll("#tally label[data-outcome]")];

  constructor() {
    // The style sheet shows and hides by these: asking with :has() which is checked would cost a look at every card.
    document.getElementById("tally").addEventListener("change", (event) => (this.#results.dataset.show = event.target.value));
    document.getElementById("one-in")?.addEventListener("change", (event) => (this.#results.dataset.oneIn = event.target.value));
    this.#count();
  }

  /** Takes in an answer's card. */
  add(card) {
    const entry = card.querySelector("template.entry").content.firstElementChild.cloneNode(true);
    // The card may be far below, past others that were not laid out yet: gone to at once, without a ride.
    entry.querySelector("a").addEventListener("click", (event) => {
      event.preventDefault();
      card.scrollIntoView({ behavior: "instant", block: "start" });
      card.querySelector("h3").focus({ preventScroll: true });
    });
    const next = [...this.#list.children].find((other) => Number(other.dataset.order) < Number(entry.dataset.order));
    this.#list.insertBefore(entry, next ?? null);
    this.#count();
  }

  /** Shows answers of every kind: those that are asked for now must not be hidden. */
  showAll() {
    document.querySelector("#tally [value='all']").checked = true;
    this.#results.dataset.show = "all";
  }

  clear() {
    this.#list.replaceChildren();
    this.showAll();
    this.#count();
  }

  #count() {
    const found = [...this.#list.children].map((entry) => entry.dataset.verdict);
    for (const label of this.#kinds) {
      const number = found.filter((verdict) => verdict === label.dataset.outcome).length;
      label.hidden = !number;
      label.querySelector(".count").textContent = String(number);
    }
    this.#results.classList.toggle("many", found.length >= MANY);
    document.getElementById("download-all").hidden = !found.length; // files that were refused have no document
  }
}
