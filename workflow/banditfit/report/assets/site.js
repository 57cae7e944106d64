// Hands the tables of a page to DataTables and its charts to Plotly; without scripts both stand there as plain tables and images.
"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const showScheme = () => document.documentElement.classList.toggle("dark", dark.matches);

// A cell is sorted by the number it begins with, where it begins with one: "0.00576 0.0021–0.013", "12 300", "1.2 × 10⁻⁵".
function order(cell) {
  const text = cell.textContent.trim().replace(/\u202f/g, "").replace(/−/g, "-");
  const found = text.match(/^[×±]?(-?[0-9]+(?:\.[0-9]+)?)(?: × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?/);
  if (!found) return text === "–" || text === "" ? "-1e308" : null;
  const power = [...(found[2] || "⁰")].map((digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(digit));
  const sign = power[0] === 0 ? -1 : 1;
  return String(Number(found[1]) * 10 ** (sign * Number(power.map((k) => (k ? k - 1 : "")).join(""))));
}

function sortable(table) {
  const rows = [...table.tBodies[0].rows];
  if (table.closest("td") || rows.length < 4 || rows.some((row) => row.cells.length !== table.tHead.rows[0].cells.length)) return;
  for (const row of rows)
    for (const cell of row.cells)
      if (!cell.dataset.order && order(cell) !== null) cell.dataset.order = order(cell);
  const name = (table.closest("details")?.querySelector("summary") || document.querySelector("h2")).textContent;
  const many = rows.length > 8;
  new DataTable(table, {
    paging: false, info: false, order: [], autoWidth: false, searching: many,
    language: { search: "", searchPlaceholder: "filter rows" },
    layout: { topStart: many ? "search" : null, topEnd: { buttons: [{ extend: "csv", text: "CSV", filename: name, title: null }] }, bottomStart: null, bottomEnd: null },
  });
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

function themed(layout) {
  const colour = colours();
  const axis = { gridcolor: colour("--grid"), linecolor: colour("--faint"), zerolinecolor: colour("--grid") };
  const axes = Object.keys(layout).filter((key) => /^[xy]axis/.test(key));
  return {
    ...layout,
    ...Object.fromEntries(axes.map((key) => [key, { ...layout[key], ...axis }])),
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--ink") },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--faint"), activecolor: colour("--ink") },
    hoverlabel: { bgcolor: colour("--wash"), font: { color: colour("--ink") } },
  };
}

// A method's colour, half way to white where the page is dark.
function shade(colour) {
  if (!dark.matches || !/^#[0-9A-F]{6}$/i.test(colour)) return colour;
  return "#" + colour.slice(1).match(/../g).map((pair) => Math.round((parseInt(pair, 16) + 255) / 2).toString(16)).join("");
}

function shaded(trace) {
  const colour = trace.marker.color;
  return { ...trace, marker: { ...trace.marker, color: Array.isArray(colour) ? colour.map(shade) : shade(colour) } };
}

function drawn(place) {
  const chart = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const draw = () => Plotly.react(place, chart.data.map(shaded), themed(chart.layout), {
    responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"], toImageButtonOptions: { format: "svg" },
  });
  place.closest("figure").classList.add("drawn");
  draw();
  dark.addEventListener("change", draw);
}

showScheme();
dark.addEventListener("change", showScheme);
document.addEventListener("DOMContentLoaded", () => {
  const menu = document.querySelector("nav .menu");
  if (window.innerWidth > 992) menu.open = true;
  if (window.DataTable) document.querySelectorAll(".scroll:not(.plain) > table").forEach(sortable);
  if (window.Plotly) document.querySelectorAll(".chart").forEach(drawn);
});
