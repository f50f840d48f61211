// What can be done with a clip's answer: it plays from the person's own disk, boxes follow the faces, and timelines jump to moments.

// A clip is stopped a little behind a frame's beginning, but before the next sample: times are rounded on the way.
const BEHIND = 0.004;
// As in `unmask.output.timeline_chart`: what is left free at both sides of a timeline, of its width.
const SIDE = 16 / 640;
// A click so near to a dot means it, in pixels.
const NEAR = 9;

/** Makes a clip's card work; `url` is where the browser finds the clip itself, null where it does not have it. */
export function bindClip(card, url) {
  const player = card.querySelector(".player");
  const video = player?.querySelector("video");
  const people = [...card.querySelectorAll(".person")].map((part, at) => new Person(part, card.querySelectorAll(".boxes > .face")[at]));
  const behind = Math.min(BEHIND, people[0]?.hold / 2 || BEHIND);
  const show = (time) => people.forEach((person) => person.show(time));
  const isPlaying = () => video && !player.hidden;
  const jump = (time) => {
    if (isPlaying()) {
      video.pause();
      video.currentTime = time + behind;
    }
    show(time);
  };
  const toggle = () => isPlaying() && (video.paused ? video.play() : video.pause());
  people.forEach((person) => person.bind(jump, toggle));
  if (people.length) show(people[0].begin);
  if (video && url) play(card, player, video, url, show);
}

function play(card, player, video, url, show) {
  const { width, height } = player.querySelector(".boxes").viewBox.baseVal;
  player.style.aspectRatio = `${width} / ${height}`;
  player.style.maxWidth = `${(36 * width) / height}rem`;
  player.hidden = false;
  const fail = () => {
    player.hidden = true;
    card.querySelector(".unplayable").hidden = false;
  };
  const follow = () => {
    show(video.currentTime);
    if (!video.paused && player.isConnected) requestAnimationFrame(follow);
  };
  video.addEventListener("error", fail);
  // Of a codec that it does not know a browser may play the sound alone.
  video.addEventListener("loadedmetadata", () => video.videoWidth || fail());
  video.addEventListener("play", follow);
  video.addEventListener("seeked", () => show(video.currentTime));
  video.src = url;
}

/** One person's timeline, key frames, and box in the player, if there is one. */
class Person {
  #part;
  #box;
  #chart;
  #readout;
  #cursor;
  #dots;

  constructor(part, box) {
    [this.#part, this.#box] = [part, box];
    this.#chart = part.querySelector(".timeline-chart");
    this.#readout = part.querySelector(".readout");
    this.begin = Number(this.#chart.dataset.begin);
    this.end = Number(this.#chart.dataset.end);
    this.#dots = [...this.#chart.querySelectorAll(".dot")].map((dot) => ({
      time: Number(dot.dataset.time),
      run: dot.dataset.run,
      box: dot.dataset.box.split(" ").map(Number),
      says: dot.querySelector("title").textContent,
    }));
    this.hold = Number(this.#chart.dataset.step) / 2;
    this.#cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    this.#cursor.setAttribute("class", "cursor");
    this.#chart.append(this.#cursor);
  }

  /** Makes the timeline a slider from sample to sample, and key frames lead to their moments. */
  bind(jump, toggle) {
    const chart = this.#chart;
    const go = (at) => {
      const dot = this.#dots[Math.max(0, Math.min(this.#dots.length - 1, at))];
      jump(dot.time);
    };
    chart.setAttribute("role", "slider");
    chart.setAttribute("tabindex", "0");
    chart.setAttribute("aria-valuemin", "1");
    chart.setAttribute("aria-valuemax", String(this.#dots.length));
    chart.addEventListener("keydown", (event) => {
      const now = Number(chart.getAttribute("aria-valuenow")) - 1;
      const last = this.#dots.length - 1;
      const moves = { ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1, Home: 0, End: last };
      if (event.key in moves) go(moves[event.key]);
      else if (event.key === "Enter" || event.key === " ") toggle();
      else return;
      event.preventDefault();
    });
    chart.addEventListener("click", (event) => {
      const { left, width } = chart.getBoundingClientRect();
      const time = (x) => this.begin + ((x / width - SIDE) / (1 - 2 * SIDE)) * (this.end - this.begin);
      const clicked = Math.min(this.end, Math.max(this.begin, time(event.clientX - left)));
      const dot = this.#nearest(clicked);
      jump(Math.abs(dot.time - clicked) <= time(NEAR) - time(0) ? dot.time : clicked);
    });
    this.#part.querySelectorAll(".moments li").forEach((moment) =>
      moment.addEventListener("click", () => jump(Number(moment.dataset.time))),
    );
  }

  /** Shows a moment: where the face is, what the nearest sample says, and which key frame it is. */
  show(time) {
    const dot = this.#nearest(time);
    const at = this.begin < this.end ? Math.min(1, Math.max(0, (time - this.begin) / (this.end - this.begin))) : 0;
    this.#cursor.setAttribute("d", `M${640 * (SIDE + at * (1 - 2 * SIDE))} 0v116`);
    this.#chart.setAttribute("aria-valuenow", String(1 + this.#dots.indexOf(dot)));
    this.#chart.setAttribute("aria-valuetext", dot.says);
    const box = this.#boxAt(time);
    this.#readout.textContent = box ? dot.says : "Not seen at this moment";
    this.#part.querySelectorAll(".moments li").forEach((moment) => {
      const isNearest = Number(moment.dataset.time) === dot.time;
      moment.classList.toggle("chosen", isNearest && Math.abs(dot.time - time) < 2 * BEHIND);
    });
    if (this.#box) place(this.#box, box);
  }

  #nearest(time) {
    const distance = (dot) => Math.abs(dot.time - time);
    return this.#dots.reduce((best, dot) => (distance(dot) < distance(best) ? dot : best));
  }

  /** Between two samples that follow each other; else that of a sample near enough; else null. */
  #boxAt(time) {
    const after = this.#dots.findIndex((dot) => dot.time >= time);
    const [a, b] = after < 0 ? [this.#dots.at(-1), null] : [this.#dots[after - 1], this.#dots[after]];
    if (a && b && a.run === b.run) {
      const share = (time - a.time) / (b.time - a.time);
      return a.box.map((side, at) => side + share * (b.box[at] - side));
    }
    const near = this.#nearest(time);
    return Math.abs(near.time - time) <= this.hold + BEHIND ? near.box : null;
  }
}

/** Puts a person's box and its label where the face is. */
function place(group, box) {
  group.setAttribute("visibility", box ? "visible" : "hidden");
  if (!box) return;
  const [left, top, width, height] = box;
  group.querySelectorAll(".halo, .line").forEach((rect) => {
    Object.entries({ x: left, y: top, width, height }).forEach(([name, value]) => rect.setAttribute(name, value));
  });
  const label = group.querySelector(".label");
  const high = Number(label.querySelector(".tag").getAttribute("height"));
  label.setAttribute("transform", `translate(${Math.max(0, left)} ${Math.max(0, top - high * 1.1)})`);
}
