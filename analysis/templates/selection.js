// The codecs that figures and table show: all, or those that every brushed axis keeps.
const explore = JSON.parse(document.getElementById("explore-data").textContent);
const codecs = new Map(explore.codecs.map((codec) => [codec.key, codec]));
const selection = {
  kept: null, // a Set of trial keys; null for all
  listeners: [],
  has(key) { return this.kept === null || this.kept.has(key); },
  set(kept) {
    this.kept = kept;
    this.listeners.forEach((listener) => listener());
  },
};
const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
};
