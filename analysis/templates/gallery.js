// Any two codecs and the original on one page, with what was read of each; the second list begins at the first's rate.
const gallery = {
  pageSelect: document.getElementById("gallery-page"),
  first: document.getElementById("gallery-first"),
  second: document.getElementById("gallery-second"),
  box: document.getElementById("gallery-pictures"),
  page() { return explore.pages[this.pageSelect?.value ?? 0]; },
};

gallery.options = (select, keys, label, value) => {
  select.replaceChildren(...keys.map((key) => element("option", { value: key }, label(key))));
  if (keys.includes(value)) select.value = value;
};

gallery.lists = () => {
  const page = gallery.page();
  const keys = [...codecs.keys()].filter((key) => page.looks[key] && codecs.get(key).kind !== "uncompressed");
  const label = (key) => `${codecs.get(key).label}, ${page.looks[key].bpp.toFixed(3)} bpp`;
  gallery.options(gallery.first, keys, label, gallery.first.value || explore.pair[0]);
  const rate = codecs.get(gallery.first.value).bpp;
  const distance = (key) => Math.abs(Math.log(codecs.get(key).bpp / rate));
  const others = keys.filter((key) => key !== gallery.first.value).sort((a, b) => distance(a) - distance(b));
  const times = (key) => `${label(key)} (${(codecs.get(key).bpp / rate).toFixed(2)} times the bits)`;
  gallery.options(gallery.second, others, times, gallery.second.value || explore.pair[1]);
};

gallery.figure = (title, look) => element(
  "figure", {},
  element("img", { src: look.src, alt: title }),
  element("figcaption", {}, element("strong", {}, title), element("span", { class: "numbers" }, look.numbers),
    element("pre", {}, ...(look.text.length ? look.text : [["nothing was read", true]]).map(
      ([text, wrong]) => (wrong ? element("mark", {}, text) : text)))),
);

gallery.show = () => {
  const page = gallery.page();
  gallery.lists();
  document.getElementById("gallery-truth").textContent = `True text: ${page.truth.split("\n").join(" / ")}`;
  const shown = [original?.key, gallery.first.value, gallery.second.value].filter((key) => page.looks[key]);
  gallery.box.replaceChildren(...shown.map((key) => gallery.figure(codecs.get(key).label, page.looks[key])));
};

if (gallery.box) {
  [gallery.pageSelect, gallery.first, gallery.second].forEach((each) => each.addEventListener("change", gallery.show));
}
