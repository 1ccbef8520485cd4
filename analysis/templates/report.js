// Tables whose heads are buttons sort by that column; numbers stand in data-value, and what is missing stays last.
document.querySelectorAll("table.sortable").forEach((table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => {
        if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");
        const difference = Number(value(a)) - Number(value(b));
        const order = Number.isNaN(difference) ? value(a).localeCompare(value(b)) : difference;
        return falling ? -order : order;
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    });
  });
});

// A figure is drawn while the page around it is still being laid out: fit them again. Paper has a width of its own, which is
// not known yet when printing begins: that of A4 and of Letter within their margins.
const paper = 680;
const plots = () => [...document.querySelectorAll(".js-plotly-plot")];
const fit = () => plots().forEach((plot) => Plotly.Plots.resize(plot));
window.addEventListener("load", fit);
window.addEventListener("beforeprint", () => plots().forEach((plot) => Plotly.relayout(plot, { autosize: false, width: paper })));
window.addEventListener("afterprint", () => {
  plots().forEach((plot) => Plotly.relayout(plot, { autosize: true, width: null }));
  fit();
});
