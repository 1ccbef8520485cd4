// Any two codecs and the original on one page, with what was read of each; the second list begins at the first's rate.
const gallery = {
  pageSelect: document.getElementById("gallery-page"),
  first: document.getElementById("gallery-first"),
  second: document.getElementById("gallery-second"),
  box: document.getElementById("gallery-pictures"),
  bits: document.getElementById("gallery-bits"),
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

gallery.read = ({ reader, text }, alone) => [
  ...(alone ? [] : [element("span", { class: "reader" }, reader)]),
  element("pre", {}, ...(text.length ? text : [["nothing was read", true]]).map(
    ([piece, wrong]) => (wrong ? element("mark", {}, piece) : piece))),
];

// A block's colour is as strong as its bits, against the most that a block of the shown codecs takes.
gallery.overlay = (look, most) => {
  const canvas = element("canvas", { width: look.bits[0].length, height: look.bits.length, class: "bits" });
  const pixels = canvas.getContext("2d").createImageData(canvas.width, canvas.height);
  look.bits.flat().forEach((bits, place) => pixels.data.set([213, 94, 0, 165 * Math.sqrt(Math.max(0, bits) / most)], 4 * place));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
};

gallery.figure = (title, look, most) => {
  const picture = element("div", { class: "look" }, element("img", { src: look.src, alt: title }));
  if (most && look.bits.length) {
    const canvas = gallery.overlay(look, most);
    picture.append(canvas);
    picture.firstChild.addEventListener("load", ({ target }) => {
      canvas.style.width = `${(100 * canvas.width * look.block_px) / target.naturalWidth}%`;
      canvas.style.height = `${(100 * canvas.height * look.block_px) / target.naturalHeight}%`;
    });
  }
  return element("figure", {}, picture, element("figcaption", {}, element("strong", {}, title),
    element("span", { class: "numbers" }, look.numbers), ...look.read.flatMap((each) => gallery.read(each, look.read.length === 1))));
};

gallery.show = () => {
  const page = gallery.page();
  gallery.lists();
  document.getElementById("gallery-truth").textContent = `True text: ${page.truth.split("\n").join(" / ")}`;
  const shown = [original?.key, gallery.first.value, gallery.second.value].filter((key) => page.looks[key]);
  const bits = shown.flatMap((key) => page.looks[key].bits.flat());
  gallery.bits.disabled = !bits.length;
  const most = gallery.bits.checked && bits.length ? Math.max(1, ...bits) : 0;
  const side = shown.map((key) => page.looks[key].block_px).find((each) => each);
  document.getElementById("gallery-scale").textContent = !bits.length ? "These codecs have no likelihoods to tell where bits went, or were measured before that was kept."
    : most ? `The strongest colour is ${most} bits in a block of ${side} x ${side} pixels; classical codecs do not tell.` : "";
  gallery.box.replaceChildren(...shown.map((key) => gallery.figure(codecs.get(key).label, page.looks[key], most)));
};

if (gallery.box) {
  [gallery.pageSelect, gallery.first, gallery.second, gallery.bits].forEach((each) => each.addEventListener("change", gallery.show));
}
