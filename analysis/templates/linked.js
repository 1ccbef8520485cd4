// Figures and the table of points show the selection: marks of other codecs fade, their rows go, and traces of several
// codecs follow as their meta says (analysis/brushed.py).
const linked = () => {
  document.querySelectorAll("tr[data-key]").forEach((row) => { row.hidden = !selection.has(row.dataset.key); });
  document.querySelectorAll(".js-plotly-plot").forEach((plot) => {
    const changed = linked.whole(plot).data.map((trace, _, all) => linked.changed(trace, all));
    const names = [...new Set(changed.flatMap(Object.keys))];
    const values = names.map((name) => [name, changed.map((trace) => trace[name])]); // undefined leaves a trace as it is
    if (names.length) Plotly.restyle(plot, Object.fromEntries(values));
  });
  transfer.table();
  const shown = selection.kept === null ? explore.codecs.length : selection.kept.size;
  document.getElementById("kept").textContent = `${shown} of ${explore.codecs.length} codecs shown.`;
};

// A figure as it was drawn, before anything was brushed away, in light colours.
linked.whole = (plot) => {
  plot.whole ??= { data: structuredClone(plot.data), layout: structuredClone(plot.layout) };
  return plot.whole;
};

// The attributes of a trace that follow, with their values.
linked.changed = (trace, all) => {
  if (trace.type === "heatmap") return transfer.heat(trace);
  if (trace.meta?.needs) return linked.needed(trace);
  if (trace.meta?.best) return linked.best(trace, all);
  if (!Array.isArray(trace.customdata)) return {};
  const has = trace.customdata.map((key) => selection.has(key));
  if (trace.type === "scatter3d") return { "marker.size": trace.marker.size.map((size, place) => (has[place] ? size : 0)) };
  const chosen = selection.kept === null ? null : has.flatMap((each, place) => (each ? [place] : []));
  if (!trace.error_y?.visible) return { selectedpoints: chosen };
  const bars = (ends) => ends.map((end, place) => (has[place] ? end : null));
  return { selectedpoints: chosen, "error_y.array": bars(trace.error_y.array), "error_y.arrayminus": bars(trace.error_y.arrayminus) };
};

linked.needed = ({ y, meta }) => {
  const has = y.map((_, place) => meta.needs[Math.floor(place / meta.points)].every((key) => selection.has(key)));
  return { y: y.map((value, place) => (has[place] ? value : null)), visible: has.includes(true) ? true : "legendonly" };
};

linked.best = ({ x, y, meta }, all) => {
  if (selection.kept === null) return { x, y };
  const { best } = meta;
  const marks = all.filter((each) => Array.isArray(each.customdata) && (!best.family || each.name === best.family))
    .flatMap((each) => each.customdata.flatMap((key, place) => (selection.has(key) ? [[each.x[place], each.y[place]]] : [])));
  const gain = (a, b) => [best.x * (a[0] - b[0]), best.y * (a[1] - b[1])];
  const beats = (a, b) => gain(a, b).every((each) => each >= 0) && gain(a, b).some((each) => each > 0);
  const line = marks.filter((a) => !marks.some((b) => beats(b, a))).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (best.flat && line.length) line.push([Math.max(...marks.map((mark) => mark[0])), line.at(-1)[1]]);
  return { x: line.map((mark) => mark[0]), y: line.map((mark) => mark[1]) };
};
selection.listeners.push(linked);
