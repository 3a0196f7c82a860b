// How a report looks: on a screen by day and by night, and on paper. One file of its own, so that the page's structure can be read.

export const reportStyle = `
:root { color-scheme: light dark; --ground: #fbfbfa; --card: #ffffff; --ink: #1d2327; --soft: #5b656d; --line: #dfe3e6; --accent: #0b6e75;
  --old: #a9b7c0; --bad: #b3261e; --good: #20704a; --warn: #8a5a00; --wash: #f1f4f5; }
@media screen and (prefers-color-scheme: dark) { :root { --ground: #14181b; --card: #1b2024; --ink: #e4e8ea; --soft: #9aa6ae; --line: #30383e;
  --accent: #52b8bf; --old: #5c6a74; --bad: #f0857d; --good: #6cc596; --warn: #e0b060; --wash: #20262b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 12px; }
p { margin: 0 0 8px; }
.soft, caption, figcaption { color: var(--soft); }
.badge { display: inline-block; border: 1.5px solid currentColor; border-radius: 99px; padding: 0 12px; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 24px 0 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tiles b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 13px; }
.phases { display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 0; list-style: none; }
.phases li { flex: 1 1 130px; background: var(--card); border: 1px solid var(--line); border-top: 4px solid var(--old); border-radius: 6px; padding: 8px 12px; }
.phases .done { border-top-color: var(--good); } .phases .current { border-top-color: var(--accent); border-top-style: double; }
.phases .ahead { border-top-style: dotted; }
.phases b { display: block; } .phases span { color: var(--soft); font-size: 13px; }
.notes { border: 1px solid var(--line); border-left: 4px solid var(--warn); background: var(--card); border-radius: 6px; padding: 12px 16px; margin: 24px 0 0; }
.notes h2 { margin: 0 0 4px; font-size: 15px; } .notes ul { margin: 0; padding-left: 18px; }
figure { margin: 0 0 20px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
figcaption { font-size: 13px; display: flex; flex-wrap: wrap; gap: 4px 24px; justify-content: space-between; margin-bottom: 6px; }
.legend { display: inline-flex; flex-wrap: wrap; gap: 2px 16px; } .legend svg { vertical-align: middle; }
figure > svg { display: block; width: 100%; height: auto; }
.tick, .mark { font: 11px system-ui, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); stroke-width: 1; }
.mark-line { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; opacity: .7; }
.mark-line.pause, .mark-line.failure { stroke: var(--bad); }
.line { fill: none; stroke: var(--soft); stroke-width: 1.6; }
.s2xx { stroke: var(--accent); } .s3xx { stroke-dasharray: 1 3; } .s4xx { stroke: var(--warn); stroke-dasharray: 5 3; } .s5xx { stroke: var(--bad); stroke-width: 2.6; }
.p50 { stroke: var(--accent); } .p99 { stroke: var(--warn); stroke-dasharray: 5 3; }
.bar { fill: var(--old); } .bar.new { fill: var(--accent); } .bar.finishes { fill: url(#hatch); } .bar.out, .bar.unknown { fill: var(--soft); }
.bar.starts { fill: var(--card); stroke: var(--accent); stroke-width: 1.5; }
.hatch-ground { fill: var(--card); } .hatch { stroke: var(--soft); stroke-width: 3; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; background: var(--card); border: 1px solid var(--line); }
caption { text-align: left; font-size: 13px; padding: 4px 0; }
th, td { text-align: left; vertical-align: top; padding: 5px 10px; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
td:last-child { overflow-wrap: anywhere; min-width: 9em; }
thead th { background: var(--wash); font-weight: 600; white-space: nowrap; overflow-wrap: normal; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; border-top: 1px solid var(--line); padding-top: 12px; }
@media print { :root { color-scheme: light; --ground: #fff; } body { font-size: 11px; } main { max-width: none; padding: 0; }
  h2 { break-after: avoid; } figure, .tiles li, tr { break-inside: avoid; } thead { display: table-header-group; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
@media (max-width: 560px) { main { padding: 20px 14px 40px; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; } }
`;
