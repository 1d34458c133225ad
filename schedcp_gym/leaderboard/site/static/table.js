// Sorts tables by their headings, and filters the index. Without it, the pages are whole, sorted by score.
"use strict";

function cellValue(row, column, kind) {
  const cell = row.cells[column];
  if (kind !== "number") return cell.textContent.trim().toLowerCase();
  return cell.dataset.value === "" ? -Infinity : Number(cell.dataset.value);
}

function sortBy(table, heading) {
  const column = heading.cellIndex;
  const kind = heading.dataset.kind;
  const was = heading.getAttribute("aria-sort");
  // Figures are most wanted from the top, names from A.
  const first = kind === "number" ? "descending" : "ascending";
  const order = was === null ? first : was === "ascending" ? "descending" : "ascending";
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [cellValue(row, column, kind), row]);
  rows.sort(([a], [b]) => (a < b ? -sign : a > b ? sign : 0));
  body.append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("button").addEventListener("click", () => sortBy(table, heading));
  }
}

const filters = document.getElementById("filters");

function filter() {
  const wanted = Array.from(filters.querySelectorAll("select")).filter((select) => select.value !== "");
  const rows = document.querySelectorAll("table.sortable tbody tr");
  let shown = 0;
  for (const row of rows) {
    row.hidden = !wanted.every((select) => row.dataset[select.name] === select.value);
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("shown").textContent = `${shown} of ${rows.length} entries`;
}

if (filters) {
  filters.addEventListener("input", filter);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(filter));
  filter();
}
