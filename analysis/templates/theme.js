// Figures in the colours of their surroundings: light, dark, and always light on paper.
const theme = {
  dark: matchMedia("(prefers-color-scheme: dark)"),
  colours: JSON.parse(document.getElementById("dark").textContent),
};

theme.swap = (value) => {
  if (typeof value === "string") return theme.colours[value] ?? value;
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(theme.swap);
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, theme.swap(each)]));
};

theme.apply = (dark) => {
  document.querySelectorAll(".js-plotly-plot").forEach((plot) => {
    const { data, layout } = structuredClone(linked.whole(plot));
    Plotly.react(plot, dark ? theme.swap(data) : data, dark ? theme.swap(layout) : layout);
  });
  linked();
};

window.addEventListener("load", () => { if (theme.dark.matches) theme.apply(true); });
theme.dark.addEventListener("change", () => theme.apply(theme.dark.matches));
window.addEventListener("beforeprint", () => { if (theme.dark.matches) theme.apply(false); });
window.addEventListener("afterprint", () => { if (theme.dark.matches) theme.apply(true); });
