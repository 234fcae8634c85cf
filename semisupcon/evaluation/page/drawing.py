"""The part of the page's script that knows the data: what is chosen, its colours and legend, the canvas."""

DRAWING = r"""
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const canvas = $('map'), pen = canvas.getContext('2d');
const count = data.names.length;
const state = {
  encoder: data.encoders[0], method: '', task: null, column: 0, hidden: new Set(), lit: null, over: -1,
  pins: new Set(), zoom: 1, dx: 0, dy: 0, find: '',
};
let groups = [], groupOf = new Int32Array(count), colourOf = new Array(count);

// In one order that no class governs, or the last class would cover the others.
const order = Array.from({length: count}, (_, place) => place);
for (let place = count - 1, seed = 1; place > 0; place--) {
  seed = (seed * 16807) % 2147483647;
  const other = seed % (place + 1);
  [order[place], order[other]] = [order[other], order[place]];
}

const make = (tag, text = '', parent = null) => {
  const element = document.createElement(tag);
  element.textContent = text;
  if (parent) parent.append(element);
  return element;
};
const choices = (select, names) => {
  select.replaceChildren();
  names.forEach((name, place) => { make('option', name, select).value = place; });
};
const format = value => value === null ? 'unknown' : String(Number(value.toPrecision(4)));
const places = () => state.encoder.maps[state.method];

// colours
function paint() {
  const task = state.task;
  groups = [];
  groupOf.fill(0);
  if (!task) {
    groups = [{name: 'clips', colour: data.plain}];
    colourOf.fill(data.plain);
    return legend();
  }
  if (task.of) {
    groups = task.order.map(k => ({name: task.classes[k], colour: task.colours[k]}));
    const at = new Map(task.order.map((k, place) => [k, place]));
    task.of.forEach((k, clip) => { groupOf[clip] = k < 0 ? groups.length : at.get(k); });
  } else if (task.tags) {
    groups = [{name: 'without', colour: data.tag[0]}, {name: 'with', colour: data.tag[1]}];
    const signs = task.tags[state.column];
    for (let clip = 0; clip < count; clip++) groupOf[clip] = signs[clip] === '?' ? 2 : Number(signs[clip]);
  } else {
    groups = [{name: 'known', colour: data.ramp[data.ramp.length >> 1]}];
    task.values[state.column].forEach((value, clip) => { groupOf[clip] = value === null ? 1 : 0; });
  }
  groups.push({name: 'unknown', colour: data.unknown, unknown: true});
  for (let clip = 0; clip < count; clip++) colourOf[clip] = groups[groupOf[clip]].colour;
  if (task.values) {
    const values = task.values[state.column], [least, most] = ends(values);
    values.forEach((value, clip) => {
      const at = most > least ? (value - least) / (most - least) : .5;
      if (value !== null) colourOf[clip] = data.ramp[Math.round(at * (data.ramp.length - 1))];
    });
  }
  legend();
}
function ends(values) {
  let least = Infinity, most = -Infinity;
  for (const value of values) if (value !== null) { least = Math.min(least, value); most = Math.max(most, value); }
  return [least, most];
}
function label(clip) {
  const task = state.task;
  if (!task) return '';
  if (task.of) return task.of[clip] < 0 ? 'unknown' : task.classes[task.of[clip]];
  if (task.values) return task.classes.map((name, k) => name + ' ' + format(task.values[k][clip])).join(', ');
  const tags = task.classes.filter((_, k) => task.tags[k][clip] === '1');
  const known = task.tags.some(signs => signs[clip] !== '?');
  return tags.join(', ') || (known ? 'no tag' : 'unknown');
}

// legend
function legend() {
  const box = $('legend'), task = state.task, sums = groups.map(() => 0);
  groupOf.forEach(group => { sums[group]++; });
  box.replaceChildren();
  $('about').textContent = !task ? 'Clips' : task.of ? task.name : task.name + ': ' + task.classes[state.column];
  if (task && task.values && sums[0]) {
    const [least, most] = ends(task.values[state.column]), bar = make('div', '', box), row = make('div', '', box);
    bar.className = 'bar';
    bar.style.background = 'linear-gradient(to right, ' + data.ramp.join(', ') + ')';
    row.className = 'ends';
    for (const value of [least, (least + most) / 2, most]) make('span', format(value), row);
  } else if (groups.length > 3) {
    const row = make('div', '', box);
    row.className = 'all';
    make('button', 'show all', row).onclick = () => { state.hidden.clear(); legend(); draw(); };
    make('button', 'hide all', row).onclick = () => {
      state.hidden = new Set(groups.keys());
      legend();
      draw();
    };
    for (const button of row.children) button.type = 'button';
  }
  const list = make('ul', '', box);
  groups.forEach((group, place) => {
    if (!sums[place]) return;
    const button = make('button', '', make('li', '', list)), dot = make('i', '', button);
    button.type = 'button';
    button.setAttribute('aria-pressed', !state.hidden.has(place));
    dot.style.background = group.colour;
    make('span', group.name, button);
    make('small', sums[place].toLocaleString('en'), button);
    button.onclick = () => {
      if (!state.hidden.delete(place)) state.hidden.add(place);
      button.setAttribute('aria-pressed', !state.hidden.has(place));
      draw();
    };
    const light = on => () => { state.lit = on ? place : null; draw(); };
    button.onmouseenter = button.onfocus = light(true);
    button.onmouseleave = button.onblur = light(false);
  });
}

// drawing
let frame = 0, size = {width: 1, height: 1}, box = null;
const draw = () => { frame = frame || requestAnimationFrame(() => { frame = 0; paintMap(); }); };
function fit() {
  const map = places(), [left, right] = ends(map.x), [low, high] = ends(map.y);
  box = {x: (left + right) / 2, y: (low + high) / 2, width: right - left || 1, height: high - low || 1};
}
function scale() { return .92 * Math.min(size.width / box.width, size.height / box.height) * state.zoom; }
function at(clip) {
  const map = places(), k = scale();
  if (map.x[clip] === null) return null;
  const [x, y] = [(map.x[clip] - box.x) * k, (map.y[clip] - box.y) * k];
  return [size.width / 2 + state.dx + x, size.height / 2 + state.dy - y];
}
const found = clip => !state.find || data.names[clip].toLowerCase().includes(state.find);
const shown = clip => !state.hidden.has(groupOf[clip]);
function paintMap() {
  const ratio = window.devicePixelRatio || 1;
  size = {width: canvas.clientWidth, height: canvas.clientHeight};
  canvas.width = size.width * ratio;
  canvas.height = size.height * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const radius = Math.min(7, (count > 1500 ? 2.6 : count > 400 ? 3.4 : 4.6) * Math.sqrt(Math.sqrt(state.zoom)));
  const unknown = groups.findIndex(group => group.unknown);
  for (const first of [true, false]) for (const clip of order) {
    if ((groupOf[clip] === unknown) !== first || !shown(clip)) continue;
    const place = at(clip);
    if (!place) continue;
    const lit = (state.lit === null || groupOf[clip] === state.lit) && found(clip);
    pen.globalAlpha = lit ? .85 : .08;
    pen.fillStyle = colourOf[clip];
    pen.beginPath();
    pen.arc(place[0], place[1], radius, 0, 2 * Math.PI);
    pen.fill();
  }
  pen.globalAlpha = 1;
  for (const clip of state.pins) ring(clip, radius + 2.5, true);
  if (state.over >= 0) ring(state.over, radius + 2.5, false);
}
function ring(clip, radius, named) {
  const place = at(clip);
  if (!place) return;
  pen.strokeStyle = '#22303c';
  pen.lineWidth = 1.6;
  pen.beginPath();
  pen.arc(place[0], place[1], radius, 0, 2 * Math.PI);
  pen.stroke();
  if (!named) return;
  const name = data.names[clip], text = name.length > 40 ? '…' + name.slice(-39) : name;
  pen.font = '12px system-ui, sans-serif';
  const wide = pen.measureText(text).width, left = place[0] + radius + 4 + wide > size.width;
  pen.lineWidth = 3;
  pen.strokeStyle = 'rgba(255, 255, 255, .9)';
  pen.fillStyle = '#22303c';
  const x = left ? place[0] - radius - 4 - wide : place[0] + radius + 4;
  pen.strokeText(text, x, place[1] + 4);
  pen.fillText(text, x, place[1] + 4);
}
"""
