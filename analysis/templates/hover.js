// Pointing at a codec in a figure shows its reconstruction of the chosen page beside the original.
const card = element("div", { id: "card", hidden: "" });
document.body.append(card);
let pointer = { clientX: 0, clientY: 0 }; // where it was last: a figure in space does not say where a mark is
window.addEventListener("pointermove", (event) => { pointer = event; }, true);
const original = explore.codecs.find((codec) => codec.kind === "uncompressed");

const pointedAt = (data) => {
  const page = gallery.page();
  const key = data.points.map((point) => point.customdata).find((each) => codecs.has(each));
  if (!page || !key || !page.looks[key]) return;
  const shown = [original?.key, key].filter((each, place, all) => page.looks[each] && all.indexOf(each) === place);
  card.replaceChildren(...shown.map((each) => element(
    "figure", {},
    element("img", { src: page.looks[each].src, alt: codecs.get(each).label, "data-key": each }),
    element("figcaption", {}, codecs.get(each).label, element("br"), page.looks[each].numbers),
  )));
  card.hidden = false;
  const { clientX, clientY } = data.event ?? pointer;
  const { width, height } = card.getBoundingClientRect();
  card.style.left = `${Math.max(8, clientX > innerWidth / 2 ? clientX - width - 24 : Math.min(clientX + 24, innerWidth - width - 8))}px`;
  card.style.top = `${Math.max(8, Math.min(clientY - height / 2, innerHeight - height - 8))}px`;
};

window.addEventListener("load", () => document.querySelectorAll(".js-plotly-plot").forEach((plot) => {
  plot.on("plotly_hover", pointedAt);
  plot.on("plotly_unhover", () => { card.hidden = true; });
}));
