"""The style of pictures, for light and dark, which holds within ``.lso`` alone."""

from typing import Final

STYLE: Final = """
.lso{--lso-fg:#1f2328;--lso-bg:#fff;--lso-dim:#59636e;--lso-line:#d1d9e0;--lso-soft:#f6f8fa;
color:var(--lso-fg);background:var(--lso-bg);font:13px/1.5 system-ui,sans-serif;padding:6px;
max-width:1000px;overflow-x:auto}
@media (prefers-color-scheme:dark){.lso{--lso-fg:#e6edf3;--lso-bg:#0d1117;--lso-dim:#9198a1;
--lso-line:#3d444d;--lso-soft:#151b23}}
.lso .lso-title{font-weight:600;margin:2px 0}
.lso .lso-dim{color:var(--lso-dim)}
.lso table.lso-table{border-collapse:collapse;margin:4px 0;color:inherit;background:none}
.lso table.lso-table th,.lso table.lso-table td{border:1px solid var(--lso-line);padding:2px 8px;
text-align:left;vertical-align:top;max-width:320px;overflow-wrap:anywhere;unicode-bidi:isolate;
color:inherit;background:none}
.lso table.lso-table th{background:var(--lso-soft);font-weight:600}
.lso .lso-card{border:1px solid var(--lso-line);border-radius:6px;padding:6px 8px;margin:6px 0}
.lso .lso-sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:8px}
.lso .lso-text{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;margin:4px 0}
.lso mark.lso-mark{color:inherit;background:color-mix(in srgb,var(--lso-c) 28%,transparent);
border-bottom:2px solid var(--lso-c);unicode-bidi:isolate}
.lso sup.lso-label{color:var(--lso-c);font-weight:600;margin:0 2px;font-size:10px}
.lso .lso-chip{display:inline-block;border:1px solid var(--lso-c,var(--lso-line));
border-left-width:4px;border-radius:4px;padding:0 6px;margin:1px 4px 1px 0;max-width:100%;
overflow-wrap:anywhere;unicode-bidi:isolate;background:var(--lso-soft)}
.lso .lso-problem{border-style:dashed;opacity:.8}
.lso .lso-image{position:relative;display:inline-block;max-width:100%;overflow:hidden;
line-height:0;margin:4px 0}
.lso .lso-image img{max-width:100%;max-height:480px;margin:0}
.lso .lso-image svg{position:absolute;left:0;top:0;width:100%;height:100%}
.lso .lso-shape{fill:var(--lso-c);fill-opacity:.15;stroke:var(--lso-c);stroke-width:2}
.lso .lso-line{fill:none}
.lso .lso-dot{stroke-width:9;stroke-linecap:round}
.lso .lso-tag{position:absolute;background:var(--lso-c);color:#fff;font-size:10px;line-height:14px;
padding:0 3px;max-width:100%;overflow:hidden;white-space:nowrap;text-shadow:0 0 2px #000}
.lso .lso-strip{position:relative;height:14px;background:var(--lso-soft);
border:1px solid var(--lso-line);margin:4px 0}
.lso .lso-range{position:absolute;top:0;height:100%;min-width:2px;background:var(--lso-c);
opacity:.6}
.lso audio,.lso video{max-width:100%;max-height:480px}
.lso iframe.lso-html{width:100%;height:240px;border:1px solid var(--lso-line);background:#fff}
.lso .lso-bar{height:10px;max-width:400px;background:var(--lso-soft);
border:1px solid var(--lso-line);border-radius:5px;overflow:hidden}
.lso .lso-done{height:100%;background:#1a7f37}
.lso pre{white-space:pre-wrap;overflow-wrap:anywhere;color:inherit;background:none;margin:4px 0}
""".strip()
