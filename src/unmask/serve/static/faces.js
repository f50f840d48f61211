// The faces of a picture: the whole picture, or one face, enlarged, with its own heatmap.

/** Makes boxes and list of an answer's faces work. */
export function bindFaces(card, say) {
  const picture = card.querySelector("svg.picture");
  if (!picture?.querySelector("a.face")) return;
  const all = picture.getAttribute("viewBox");
  const back = card.querySelector(".whole");
  const links = card.querySelectorAll("a[data-face]");

  const look = (number) => {
    card.querySelectorAll("[data-face]").forEach((part) => part.classList.toggle("chosen", part.dataset.face === number));
    card.querySelectorAll(".faces a").forEach((link) => {
      if (link.dataset.face === number) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    back.hidden = number === null;
    picture.classList.toggle("near", number !== null);
    const crop = number && picture.querySelector(`a[data-face="${number}"]`).dataset.crop;
    picture.setAttribute("viewBox", crop ? around(crop.split(" ").map(Number), all.split(" ").map(Number)) : all);
    const heat = card.querySelector(".heat-of");
    if (!heat) return;
    const link = card.querySelector(number ? `.faces a[data-face="${number}"]` : ".faces a"); // the first one decided
    heat.textContent = link.dataset.face;
    card.querySelector(".heat-empty").hidden = !("empty" in link.dataset);
  };
  const whole = () => {
    const number = picture.querySelector("a.chosen")?.dataset.face;
    look(null);
    picture.querySelector(`a[data-face="${number}"]`)?.focus({ preventScroll: true });
  };
  links.forEach((link) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      if (link.classList.contains("chosen")) return whole();
      look(link.dataset.face);
      say(`Face ${link.dataset.face}, enlarged`);
      if (picture.contains(link)) back.focus({ preventScroll: true }); // the boxes are hidden now
      else picture.scrollIntoView({ block: "nearest" });
    }),
  );
  back.addEventListener("click", whole);
  card.addEventListener("keydown", (event) => event.key === "Escape" && !back.hidden && whole());
}

/** The part of the picture that shows a crop whole and is of the picture's own shape, so that nothing moves on the page. */
function around([left, top, side], [, , width, height]) {
  const shape = width / height;
  const [wide, high] = shape > 1 ? [side * shape, side] : [side, side / shape];
  return [left + (side - wide) / 2, top + (side - high) / 2, wide, high].join(" ");
}
