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

// A figure is drawn while the page around it is still being laid out, and print has its own width: fit them again.
const fit = () => document.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.Plots.resize(plot));
window.addEventListener("load", fit);
window.addEventListener("beforeprint", fit);
