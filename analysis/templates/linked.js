// The marks of codecs in figures and the table of points show the selection: marks of others fade, their rows go.
const linked = () => {
  document.querySelectorAll("tr[data-key]").forEach((row) => { row.hidden = !selection.has(row.dataset.key); });
  document.querySelectorAll(".js-plotly-plot").forEach((plot) => {
    const flat = [], kept = [], deep = [], sizes = [];
    plot.data.forEach((trace, number) => {
      if (!Array.isArray(trace.customdata)) return;
      if (trace.type === "scatter3d") {
        trace.sizes ??= [...trace.marker.size];
        deep.push(number);
        sizes.push(trace.sizes.map((size, place) => (selection.has(trace.customdata[place]) ? size : 0)));
      } else {
        flat.push(number);
        const places = trace.customdata.flatMap((key, place) => (selection.has(key) ? [place] : []));
        kept.push(selection.kept === null ? null : places);
      }
    });
    if (flat.length) Plotly.restyle(plot, { selectedpoints: kept, "unselected.marker.opacity": 0.06 }, flat);
    if (deep.length) Plotly.restyle(plot, { "marker.size": sizes }, deep);
  });
  const shown = selection.kept === null ? explore.codecs.length : selection.kept.size;
  document.getElementById("kept").textContent = `${shown} of ${explore.codecs.length} codecs shown.`;
};
selection.listeners.push(linked);
