"""How a report looks: light and dark on screens, A4 on paper; nothing from outside."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c1c22; --soft: #62626d; --paper: #ffffff; --ground: #f4f4f7;
  --line: #dcdce3; --accent: #2f5d9e; --warn: #8a4b00; --warn-ground: #fff4e0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #ececf1; --soft: #a5a5b2; --paper: #1d1e24; --ground: #131419;
    --line: #34353f; --accent: #8db4ea; --warn: #ffce8a; --warn-ground: #33270f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main {
  max-width: 1000px; margin: 24px auto; padding: 32px 40px 40px;
  background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
}
h1 { font-size: 26px; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 {
  font-size: 18px; margin: 34px 0 10px; padding-bottom: 4px;
  border-bottom: 1px solid var(--line);
}
p { margin: 8px 0; }
.lead { color: var(--soft); margin: 6px 0 0; }
.figures { display: grid; gap: 18px; grid-template-columns: 1fr 1fr; }
figure {
  margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden;
  break-inside: avoid; display: flex; flex-direction: column;
}
figure .sheet {
  background: #ffffff; padding: 8px; flex: 1; display: flex; align-items: center;
}
figure img { display: block; max-width: 100%; max-height: 380px; margin: 0 auto; }
figcaption {
  padding: 7px 12px; font-size: 13px; color: var(--soft);
  border-top: 1px solid var(--line);
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td {
  text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere;
}
th { font-weight: 600; color: var(--soft); font-size: 13px; }
td.number, th.number {
  text-align: right; padding-right: 16px; font-variant-numeric: tabular-nums;
  white-space: nowrap;
}
tr { break-inside: avoid; }
td.none { color: var(--soft); opacity: 0.55; }
td.most { font-weight: 600; }
.swatch {
  display: inline-block; width: 13px; height: 13px; border-radius: 50%;
  margin-right: 8px; vertical-align: -1px; border: 1px solid rgb(128 128 128 / 40%);
}
.bar { display: block; height: 8px; border-radius: 4px; min-width: 2px; }
td.wide { width: 32%; vertical-align: middle; }
dl { display: grid; grid-template-columns: 240px 1fr; gap: 3px 16px; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
pre {
  background: var(--ground); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px; font: 12.5px/1.45 ui-monospace, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: 8px 0;
}
.warning {
  background: var(--warn-ground); color: var(--warn); border-radius: 8px;
  padding: 9px 14px; margin: 8px 0;
}
footer { margin-top: 34px; color: var(--soft); font-size: 12.5px; }
@media (max-width: 720px) {
  main { margin: 0; padding: 20px 16px; border: 0; border-radius: 0; }
  .figures { grid-template-columns: 1fr; }
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: 6px; }
}
@page { size: A4; margin: 15mm; }
@media print {
  :root {
    --ink: #000000; --soft: #4a4a52; --paper: #ffffff; --ground: #ffffff;
    --line: #c8c8d0; --accent: #2f5d9e; --warn: #6b3a00; --warn-ground: #ffffff;
  }
  body { font-size: 10.5pt; }
  main { max-width: none; margin: 0; padding: 0; border: 0; }
  h2 { break-after: avoid; }
  .swatch, .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .warning { border: 1px solid var(--warn); }
}
"""
