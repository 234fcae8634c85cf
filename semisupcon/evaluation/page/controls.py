"""The part of the page's script that answers: mouse, touch, keys and the fields above the map."""

CONTROLS = r"""
// mouse and touch
const inside = event => {
  const edge = canvas.getBoundingClientRect();
  return [event.clientX - edge.left - canvas.clientLeft, event.clientY - edge.top - canvas.clientTop];
};
function nearest([x, y]) {
  let best = -1, least = 14 ** 2;
  for (const clip of order) {
    const place = shown(clip) && found(clip) && at(clip);
    if (!place) continue;
    const distance = (place[0] - x) ** 2 + (place[1] - y) ** 2;
    if (distance < least) { least = distance; best = clip; }
  }
  return best;
}
function hover(clip, [x, y]) {
  const tip = $('tip');
  state.over = clip;
  tip.hidden = clip < 0;
  if (clip >= 0) {
    tip.replaceChildren();
    make('b', data.names[clip], tip);
    make('span', label(clip), tip);
    tip.style.left = Math.max(0, Math.min(x + 14, size.width - tip.offsetWidth - 4)) + 'px';
    tip.style.top = (y + 18 + tip.offsetHeight > size.height ? y - tip.offsetHeight - 10 : y + 18) + 'px';
  }
  draw();
}
function zoomAt([x, y], factor) {
  const zoom = Math.min(400, Math.max(.5, state.zoom * factor)), change = zoom / state.zoom;
  state.dx = (state.dx - x + size.width / 2) * change + x - size.width / 2;
  state.dy = (state.dy - y + size.height / 2) * change + y - size.height / 2;
  state.zoom = zoom;
  draw();
}
function reset() { Object.assign(state, {zoom: 1, dx: 0, dy: 0}); draw(); }
let grip = null;
canvas.addEventListener('pointerdown', event => {
  grip = {from: inside(event), dx: state.dx, dy: state.dy, moved: false};
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener('pointermove', event => {
  const place = inside(event);
  if (!grip) return hover(nearest(place), place);
  const [x, y] = [place[0] - grip.from[0], place[1] - grip.from[1]];
  grip.moved = grip.moved || Math.hypot(x, y) > 4;
  if (!grip.moved) return;
  canvas.classList.add('moving');
  Object.assign(state, {dx: grip.dx + x, dy: grip.dy + y});
  hover(-1, place);
});
canvas.addEventListener('pointerup', event => {
  const place = inside(event), clip = grip && !grip.moved ? nearest(place) : -1;
  grip = null;
  canvas.classList.remove('moving');
  if (clip < 0) return;
  if (!state.pins.delete(clip)) state.pins.add(clip);
  pins();
  hover(clip, place);
});
canvas.addEventListener('pointercancel', () => { grip = null; canvas.classList.remove('moving'); });
canvas.addEventListener('pointerleave', event => { if (!grip) hover(-1, inside(event)); });
canvas.addEventListener('dblclick', reset);
canvas.addEventListener('wheel', event => {
  event.preventDefault();
  zoomAt(inside(event), Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0015)));
}, {passive: false});

// keys and controls
canvas.addEventListener('keydown', event => {
  const middle = [size.width / 2, size.height / 2], moves = {
    ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60],
  }[event.key];
  if (moves) { state.dx += moves[0]; state.dy += moves[1]; draw(); }
  else if (event.key === '+' || event.key === '=') zoomAt(middle, 1.3);
  else if (event.key === '-') zoomAt(middle, 1 / 1.3);
  else if (event.key === '0') reset();
  else return;
  event.preventDefault();
});
document.addEventListener('keydown', event => { if (event.key === 'Escape') unpin(); });
function unpin() { state.pins.clear(); pins(); draw(); }
function pins() {
  const list = $('pins');
  $('pinned').hidden = !state.pins.size;
  list.replaceChildren();
  for (const clip of state.pins) {
    const row = make('li', '', list), button = make('button', 'unpin', row);
    button.type = 'button';
    button.onclick = () => { state.pins.delete(clip); pins(); draw(); };
    make('b', data.names[clip], row);
    make('span', label(clip), row);
  }
}
function chooseEncoder() {
  state.encoder = data.encoders[$('encoder').value];
  if (!places()) state.method = Object.keys(state.encoder.maps)[0];
  for (const button of $('methods').querySelectorAll('button')) {
    button.disabled = !(button.value in state.encoder.maps);
    button.setAttribute('aria-pressed', button.value === state.method);
  }
  fit();
  reset();
}
function chooseTask() {
  state.task = data.tasks[$('task').value] || null;
  const several = state.task && !state.task.of;
  $('columns').hidden = !several;
  if (several) choices($('column'), state.task.classes);
  chooseColumn();
}
function chooseColumn() {
  state.column = Number($('column').value) || 0;
  state.hidden.clear();
  paint();
  pins();
  draw();
}
choices($('encoder'), data.encoders.map(encoder => encoder.name));
for (const [key, name] of Object.entries(data.methods)) {
  const button = make('button', name, $('methods'));
  Object.assign(button, {type: 'button', value: key});
  button.onclick = () => { state.method = key; chooseEncoder(); };
}
choices($('task'), data.tasks.length ? data.tasks.map(task => task.name) : ['nothing']);
$('controls').addEventListener('submit', event => event.preventDefault());
$('encoder').onchange = chooseEncoder;
$('task').onchange = chooseTask;
$('column').onchange = chooseColumn;
$('find').oninput = () => { state.find = $('find').value.toLowerCase(); draw(); };
$('unpin').onclick = unpin;
new ResizeObserver(() => hover(-1, [0, 0])).observe(canvas);
chooseEncoder();
chooseTask();
"""
