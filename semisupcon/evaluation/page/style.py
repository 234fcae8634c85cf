"""How the page of maps looks: light, since its colours are chosen for white."""

CSS = """
:root {
  color-scheme: light;
  --paper: #f6f7f9; --card: #fff; --ink: #22303c; --soft: #5b6b79; --line: #d9e2ea; --accent: #1f5f99; --chip: #eef2f6;
}
* { box-sizing: border-box; }
html, body { height: 100%; }
body {
  margin: 0; padding: .9rem 1.2rem; display: flex; flex-direction: column; gap: .7rem; min-height: 34rem;
  background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif;
}
[hidden] { display: none !important; }
h1 { margin: 0 0 .15rem; font-size: 1.3rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 .4rem; font-size: .95rem; overflow-wrap: anywhere; }
p { margin: 0; }
header p, #keys, .soft { color: var(--soft); font-size: .88rem; }
header p { max-width: 70rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; align-items: center; font-size: .9rem; }
form label, fieldset { display: flex; gap: .45rem; align-items: center; min-width: 0; }
fieldset { margin: 0; padding: 0; border: 0; }
legend { float: left; padding: 0; }
select, input, button { font: inherit; color: inherit; }
select, input {
  max-width: 22rem; min-width: 0; padding: .25rem .4rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--card);
}
button {
  padding: .15rem .55rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--card);
  font-size: .82rem; cursor: pointer;
}
button:hover { border-color: var(--accent); }
button:disabled { color: var(--soft); cursor: default; border-color: var(--line); opacity: .6; }
#methods button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: #fff; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
main { flex: 1; display: flex; gap: 1rem; min-height: 0; }
#stage { flex: 1; position: relative; display: flex; flex-direction: column; gap: .3rem; min-width: 0; min-height: 0; }
#map {
  flex: 1; width: 100%; min-height: 0; border: 1px solid var(--line); border-radius: .5rem; background: var(--card);
  cursor: crosshair; touch-action: none;
}
#map.moving { cursor: grabbing; }
#tip {
  position: absolute; max-width: 24rem; padding: .3rem .55rem; border: 1px solid var(--line); border-radius: .4rem;
  background: rgb(255 255 255 / .95); box-shadow: 0 2px 8px rgb(34 48 60 / .15); font-size: .85rem;
  pointer-events: none; overflow-wrap: anywhere;
}
#tip b, #pins b { display: block; font-weight: 600; overflow-wrap: anywhere; }
aside { flex: 0 0 17rem; display: flex; flex-direction: column; gap: 1rem; min-height: 0; overflow: auto; }
aside section {
  flex: none; padding: .7rem .8rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card);
}
#legend .all { display: flex; gap: .4rem; margin-bottom: .4rem; }
#legend ul, #pins { margin: 0; padding: 0; list-style: none; }
#legend li button {
  display: flex; gap: .5rem; align-items: center; width: 100%; padding: .12rem .3rem; border: 0; border-radius: .3rem;
  background: none; font-size: .88rem; text-align: left;
}
#legend li button:hover, #legend li button:focus-visible { background: var(--chip); }
#legend li button[aria-pressed="false"] { color: var(--soft); text-decoration: line-through; }
#legend li button[aria-pressed="false"] i { opacity: .2; }
#legend i { flex: none; width: .75rem; height: .75rem; border-radius: 50%; }
#legend li span { flex: 1; overflow-wrap: anywhere; }
#legend small { color: var(--soft); font-variant-numeric: tabular-nums; }
.bar { height: .8rem; border-radius: .2rem; }
.ends { display: flex; justify-content: space-between; font-size: .82rem; font-variant-numeric: tabular-nums; }
#pins { max-height: 15rem; overflow: auto; }
#pins li { padding: .3rem 0; border-top: 1px solid var(--line); font-size: .85rem; }
#pins button { float: right; margin-left: .4rem; }
@media (max-width: 50rem) {
  html, body { height: auto; }
  main { flex-direction: column; }
  #map { flex: none; height: 70vh; }
  aside { flex: none; }
}
"""
