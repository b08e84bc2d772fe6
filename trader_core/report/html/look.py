"""How the page looks and what draws it. One set of colours for text and charts, told apart by the colour-blind."""

# Okabe and Ito's palette; what is written in it is darkened on light paper and lightened on dark.
STYLE = """
:root {
  color-scheme: light dark;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  --page: #f6f6f3; --panel: #ffffff; --ink: #1f2328; --muted: #59616b; --rule: #dcddd8; --grid: #ebebe7;
  --main: #0072b2; --fall: #d55e00; --gain: #00704f; --loss: #a84300; --warn: #fdf3dc;
  --blue: #0072b2; --orange: #e69f00; --green: #009e73; --purple: #cc79a7; --sky: #56b4e9; --vermillion: #d55e00;
  --yellow: #e0d22e; --grey: #80868d;
  --more: 0, 114, 178; --less: 213, 94, 0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --panel: #1c2024; --ink: #e4e7ea; --muted: #a3acb5; --rule: #353b41; --grid: #2a2f34;
    --main: #56b4e9; --fall: #e8793a; --gain: #4fc9a4; --loss: #f2955c; --warn: #3a2f14;
    --blue: #2f8fcb; --yellow: #f0e442; --grey: #8d959d;
    --more: 86, 180, 233; --less: 232, 121, 58;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 var(--sans); }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.25rem; }
footer { padding-bottom: 3rem; color: var(--muted); font-size: 0.875rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 3rem 0 0.25rem; font-size: 1.25rem; line-height: 1.3; }
h3 { margin: 1.5rem 0 0.25rem; font-size: 1rem; }
p { margin: 0.25rem 0 0.75rem; max-width: 48rem; }
.lede, .note { color: var(--muted); }
.note { font-size: 0.875rem; }
.gain { color: var(--gain); }
.loss { color: var(--loss); }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0.75rem; margin: 1.5rem 0; }
.tiles > div, figure, details, .wide, .warnings {
  background: var(--panel); border: 1px solid var(--rule); border-radius: 0.5rem;
}
.tiles > div { padding: 0.75rem 1rem; }
.tiles dt { color: var(--muted); font-size: 0.875rem; }
.tiles dd { margin: 0; overflow-wrap: anywhere; }
.tiles .value { font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles .aside { color: var(--muted); font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.warnings { background: var(--warn); padding: 0.75rem 1rem; margin: 1rem 0; }
.warnings ul { margin: 0.25rem 0 0; padding-left: 1.25rem; }
figure { margin: 0.75rem 0 1rem; padding: 0.75rem 0.5rem 0.25rem; }
figcaption { padding: 0 0.5rem 0.5rem; color: var(--muted); font-size: 0.875rem; }
.chart { width: 100%; }
details { margin: 0.5rem 0; }
details figure { border: 0; margin: 0; }
details > :not(summary):not(figure) { margin: 0 1rem 1rem; }
summary { padding: 0.6rem 1rem; cursor: pointer; }
summary .aside { color: var(--muted); font-size: 0.875rem; font-variant-numeric: tabular-nums; margin-left: 0.5rem; }
.pairs { columns: 2 28rem; column-gap: 1.25rem; }
.pairs > * { break-inside: avoid; }
.wide { overflow-x: auto; margin: 0.5rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.6rem 0.75rem 0.25rem; font-weight: 600; }
th, td { padding: 0.3rem 0.75rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--grid); }
thead th { color: var(--muted); font-weight: 500; border-top: 0; }
tbody th { font-weight: 500; }
.words { text-align: left; }
td.long { white-space: normal; overflow-wrap: anywhere; text-align: left; }
.heat td { min-width: 3.4rem; }
.more { background: rgba(var(--more), var(--heat)); }
.less { background: rgba(var(--less), var(--heat)); }
a { color: inherit; }
:focus-visible { outline: 2px solid var(--main); outline-offset: 2px; }
@media (max-width: 40rem) {
  main, header, footer { padding-left: 0.75rem; padding-right: 0.75rem; }
  h2 { margin-top: 2.25rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 0.5rem; }
  .tiles > div { padding: 0.6rem 0.75rem; }
  .tiles .value { font-size: 1.25rem; }
  figure { padding: 0.5rem 0 0; }
  summary .aside { display: block; margin-left: 0; }
}
@media print { body { background: #fff; } figure, .wide, .tiles > div { break-inside: avoid; } }
"""

# No tool bar: one of its buttons would send the chart's data to a server.
# Charts name their colours as `var(--name)`, so that one description serves light and dark. A folded chart is drawn
# when it is opened; `#all` in the address opens all of them, and so does printing.
SCRIPT = """
"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const config = {
    responsive: true, displayModeBar: false, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  };
  const named = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const coloured = (value) => {
    if (typeof value === "string") return value.replace(/^var\\((--[a-z]+)\\)$/, (_, name) => named(name));
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item)]));
  };
  const draw = (chart) => {
    const { data, layout } = coloured(figures[chart.dataset.figure]);
    Plotly.react(chart, data, { ...layout, dragmode: touch ? false : "zoom" }, config);
  };
  const seen = (within) => [...within.querySelectorAll(".chart")].filter((one) => !one.closest("details:not([open])"));
  const all = () => document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const asked = () => { if (location.hash === "#all") all(); };
  document.querySelectorAll("details").forEach((one) => {
    one.addEventListener("toggle", () => seen(one).forEach(draw));
  });
  dark.addEventListener("change", () => seen(document).forEach(draw));
  addEventListener("hashchange", asked);
  addEventListener("beforeprint", () => { all(); seen(document).forEach(draw); });
  seen(document).forEach(draw);
  asked();
})();
"""
