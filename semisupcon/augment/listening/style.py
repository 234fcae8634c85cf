"""How the page of ``semisupcon.augment`` looks, and what its few lines of script do."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #fff; --ink: #1c2733; --soft: #5d6b78; --line: #dde3e9; --accent: #1f5f99; --chip: #e9eef4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161b; --card: #1a2027; --ink: #e4e9ee; --soft: #98a5b1; --line: #2b343d; --accent: #7db4e6;
    --chip: #26303a;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 4.5rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
code, h2, nav a { font-family: ui-monospace, Menlo, Consolas, monospace; }
code { font-size: .92em; }
header {
  position: sticky; top: 0; z-index: 2; display: flex; gap: .75rem; align-items: center; padding: .55rem 1rem;
  background: var(--card); border-bottom: 1px solid var(--line);
}
nav { display: flex; gap: .35rem; overflow-x: auto; scrollbar-width: thin; padding: .15rem 0; }
nav a {
  padding: .15rem .6rem; border-radius: 1rem; background: var(--chip); color: var(--ink); font-size: .8rem;
  text-decoration: none; white-space: nowrap;
}
@media (min-width: 60rem) { nav { flex-wrap: wrap; } html { scroll-padding-top: 6rem; } }
nav a:hover, nav a:focus-visible { background: var(--accent); color: var(--card); }
nav a.preset { box-shadow: inset 0 0 0 1px var(--accent); }
button {
  flex: none; padding: .3rem .8rem; border: 0; border-radius: 1rem; background: var(--accent); color: var(--card);
  font: inherit; font-size: .85rem; cursor: pointer;
}
main, footer { max-width: 78rem; margin: 0 auto; padding: 1.25rem 1rem; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.15rem; }
h3 { margin: 2.25rem 0 .75rem; font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; color: var(--soft); }
p { margin: .3rem 0; }
.soft, footer, .notes { color: var(--soft); font-size: .88rem; }
article {
  margin: 0 0 1.25rem; padding: 1rem 1.1rem 1.1rem; border: 1px solid var(--line); border-radius: .75rem;
  background: var(--card);
}
.about { display: grid; grid-template-columns: minmax(0, 1fr); gap: .5rem 2rem; margin-bottom: .8rem; }
@media (min-width: 60rem) { .about.wide { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
.badge { margin-left: .5rem; padding: .1rem .5rem; border-radius: 1rem; background: var(--chip); font-size: .78rem; }
.badge.warns { background: #f6d9c9; color: #7a2f12; }
table { border-collapse: collapse; font-size: .85rem; align-self: start; }
th, td { padding: .12rem .8rem .12rem 0; text-align: left; vertical-align: top; font-weight: 400; }
th { font-family: ui-monospace, Menlo, Consolas, monospace; }
td:nth-child(2) { white-space: nowrap; font-variant-numeric: tabular-nums; }
td:last-child { color: var(--soft); }
details { font-size: .88rem; }
details[open] > :not(summary) { margin-left: 1rem; }
summary { cursor: pointer; color: var(--accent); }
.sounds {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: .9rem; align-items: end;
}
.sounds + .sounds { margin-top: .9rem; padding-top: .9rem; border-top: 1px solid var(--line); }
figure { margin: 0; min-width: 0; }
figcaption { display: flex; justify-content: space-between; gap: .75rem; margin-bottom: .2rem; font-size: .9rem; }
figcaption b { white-space: nowrap; }
figcaption span { color: var(--soft); text-align: right; }
.see { position: relative; cursor: pointer; }
.see img { display: block; width: 100%; height: 9rem; border-radius: .35rem; }
.see span {
  position: absolute; left: .3rem; transform: translateY(50%); color: #fff; font-size: .62rem; line-height: 1;
  opacity: .8; text-shadow: 0 0 3px #000, 0 0 2px #000; pointer-events: none;
}
.see span::before {
  content: ""; position: absolute; left: -.3rem; top: 50%; width: .22rem; border-top: 1px solid #fff;
}
.see i {
  position: absolute; top: 0; bottom: 0; left: calc(var(--at, 0) * 100%); width: 2px; margin-left: -1px;
  background: #fff; opacity: 0; pointer-events: none;
}
.see i.moves { opacity: .9; }
audio { display: block; width: 100%; height: 2.4rem; margin-top: .35rem; }
"""

# Without it the players work all the same. One sound at a time; a click into a spectrogram plays from there.
SCRIPT = """
const parts = audio => {
  const figure = audio.closest('figure');
  return [Number(figure.dataset.seconds), figure.querySelector('.see i'), figure.querySelector('.see')];
};
const follow = audio => {
  const [seconds, line, see] = parts(audio);
  line.classList.add('moves');
  see.style.setProperty('--at', Math.min(1, audio.currentTime / seconds));
  if (!audio.paused) requestAnimationFrame(() => follow(audio));
};
const button = document.querySelector('button');
const original = document.querySelector('audio');
document.addEventListener('play', event => {
  for (const audio of document.querySelectorAll('audio')) if (audio !== event.target) audio.pause();
  follow(event.target);
}, true);
document.addEventListener('seeked', event => follow(event.target), true);
for (const name of ['play', 'pause', 'ended']) {
  original.addEventListener(name, () => { button.textContent = original.paused ? '▶ original' : '❚❚ original'; });
}
for (const see of document.querySelectorAll('.see')) {
  see.addEventListener('click', event => {
    const box = see.getBoundingClientRect(), audio = see.closest('figure').querySelector('audio');
    audio.currentTime = (event.clientX - box.left) / box.width * parts(audio)[0];
    audio.play();
  });
}
button.hidden = false;
button.addEventListener('click', () => {
  if (original.paused) { original.currentTime = 0; original.play(); } else original.pause();
});
"""
