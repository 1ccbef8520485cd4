// Parallel coordinates: a line for each codec over all axes. Dragging along an axis keeps a range of it.
const parallel = {
  box: document.getElementById("parallel"),
  brushes: new Map(), // [low, high] by name of the axis, in values
  height: 300, top: 46, bottom: 22,
};

parallel.scale = (axis) => {
  const known = axis.values.filter((value) => value !== null);
  const of = axis.log ? Math.log10 : (value) => value;
  const [low, high] = [of(Math.min(...known)), of(Math.max(...known))];
  const { top, bottom, height } = parallel;
  return {
    y: (value) => height - bottom - ((of(value) - low) / (high - low)) * (height - top - bottom),
    value: (y) => {
      const raw = low + ((height - bottom - y) / (height - top - bottom)) * (high - low);
      return axis.log ? 10 ** raw : raw;
    },
    ends: [Math.min(...known), Math.max(...known)],
  };
};

parallel.svg = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
};

parallel.draw = () => {
  const { box, height, top, bottom, svg } = parallel;
  const width = Math.max(box.clientWidth, 92 * explore.axes.length);
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  root.setAttribute("aria-label", "Parallel coordinates of all codecs");
  const scales = explore.axes.map(parallel.scale);
  const x = (number) => 44 + (number * (width - 88)) / Math.max(1, explore.axes.length - 1);
  explore.codecs.forEach((codec, row) => {
    let path = "";
    explore.axes.forEach((axis, number) => {
      const value = axis.values[row];
      if (value === null) return;
      const joined = number > 0 && explore.axes[number - 1].values[row] !== null;
      path += `${joined ? "L" : "M"}${x(number).toFixed(1)} ${scales[number].y(value).toFixed(1)}`;
      if (!joined) path += "h0.01";
    });
    root.append(svg("path", { d: path, stroke: codec.colour, class: "codec", "data-key": codec.key }));
  });
  explore.axes.forEach((axis, number) => {
    const group = svg("g", { class: "axis", transform: `translate(${x(number)} 0)` });
    group.append(svg("line", { y1: top, y2: height - bottom }));
    scales[number].ends.forEach((value, end) => {
      const label = svg("text", { y: end ? top - 6 : height - 6, class: "end" });
      label.textContent = Number(value.toPrecision(3));
      group.append(label);
    });
    const title = svg("text", { y: 18, class: "title" });
    title.textContent = axis.title;
    const brush = svg("rect", { x: -7, width: 14, class: "brush" });
    const hit = svg("rect", { x: -20, y: top, width: 40, height: height - top - bottom, class: "hit", "data-axis": axis.name });
    group.append(title, brush, hit);
    root.append(group);
    parallel.listen(hit, brush, axis, scales[number]);
    parallel.show(brush, axis, scales[number]);
  });
  box.replaceChildren(root);
  parallel.fade();
};

parallel.show = (brush, axis, scale) => {
  const kept = parallel.brushes.get(axis.name);
  if (!kept) return brush.setAttribute("height", 0);
  const [low, high] = kept.map(scale.y);
  brush.setAttribute("y", high);
  return brush.setAttribute("height", low - high);
};

parallel.listen = (hit, brush, axis, scale) => {
  let from = null;
  const y = (event) => {
    const inside = event.clientY - hit.ownerSVGElement.getBoundingClientRect().top;
    return Math.min(parallel.height - parallel.bottom, Math.max(parallel.top, inside));
  };
  const drag = (event) => {
    const [upper, lower] = [from, y(event)].sort((a, b) => a - b);
    if (lower - upper < 4) parallel.brushes.delete(axis.name);
    else parallel.brushes.set(axis.name, [scale.value(lower), scale.value(upper)]);
    parallel.show(brush, axis, scale);
    parallel.fade();
  };
  hit.addEventListener("pointerdown", (event) => {
    from = y(event);
    hit.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  hit.addEventListener("pointermove", (event) => { if (from !== null) drag(event); });
  hit.addEventListener("pointerup", (event) => {
    drag(event);
    from = null;
    parallel.choose();
  });
};

parallel.keeps = (row) => explore.axes.every((axis) => {
  const kept = parallel.brushes.get(axis.name);
  const value = axis.values[row];
  return !kept || (value !== null && value >= kept[0] * (1 - 1e-9) && value <= kept[1] * (1 + 1e-9));
});

parallel.fade = () => {
  const paths = parallel.box.querySelectorAll(".codec");
  paths.forEach((path, row) => path.classList.toggle("out", !parallel.keeps(row)));
};

parallel.choose = () => {
  const all = parallel.brushes.size === 0;
  selection.set(all ? null : new Set(explore.codecs.filter((_, row) => parallel.keeps(row)).map((codec) => codec.key)));
};

parallel.clear = () => {
  parallel.brushes.clear();
  parallel.draw();
  selection.set(null);
};

if (parallel.box) {
  document.getElementById("clear").addEventListener("click", parallel.clear);
  new ResizeObserver(parallel.draw).observe(parallel.box);
}
