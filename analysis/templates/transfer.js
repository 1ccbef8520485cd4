// Trained against, read by: a cell is the mean of those of its codecs that are chosen, over the same pages. Intervals
// are of all of them, so a part has none.
const transfer = {
  signed: (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(3)}`,
  chosen: (cell) => Object.entries(cell.gains).flatMap(([key, gain]) => (selection.has(key) ? [gain] : [])),
  small: (text) => element("span", { class: "small" }, text),
};

// Of each cell that is not whole: itself, how many of its codecs are chosen, of how many, and their mean.
transfer.parts = () => explore.transfer.flatMap((cell, number) => {
  const chosen = transfer.chosen(cell), codecs = Object.keys(cell.gains).length;
  const mean = chosen.length ? chosen.reduce((sum, gain) => sum + gain, 0) / chosen.length : null;
  return chosen.length === codecs ? [] : [{ cell, number, mean, of: `${chosen.length} of ${codecs}` }];
});

transfer.heat = ({ x, y, z, text, hovertext }) => {
  const [values, texts, hovers] = structuredClone([z, text, hovertext]);
  transfer.parts().forEach(({ cell, mean, of }) => {
    const row = y.indexOf(cell.trained), column = x.indexOf(cell.read_by);
    const shown = mean === null ? "" : transfer.signed(mean);
    values[row][column] = mean;
    texts[row][column] = shown && `${shown}${cell.own ? "*" : ""}<br><span style="font-size:11px">${of}</span>`;
    hovers[row][column] = `<b>against ${cell.trained}, read by ${cell.read_by}</b><br>${shown}, no interval<br>${of} codecs`;
  });
  return { z: values, text: texts, hovertext: hovers };
};

transfer.table = () => {
  const rows = [...document.querySelectorAll("tr[data-cell]")];
  rows.forEach((row) => {
    row.whole ??= [...row.cells].slice(2).map((cell) => [...cell.childNodes]);
    row.whole.forEach((nodes, place) => row.cells[2 + place].replaceChildren(...nodes));
    row.hidden = false;
  });
  transfer.parts().forEach(({ number, mean, of }) => {
    const row = rows[number];
    row.hidden = mean === null;
    if (mean === null) return;
    row.cells[2].replaceChildren(`${transfer.signed(mean)} `, transfer.small("no interval"));
    row.cells[3].replaceChildren(of);
  });
};
