"""The page of maps: what it holds, that no file name breaks it, and (slow) that it answers in a browser."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pytest

from semisupcon.datasets.keys import KEYS
from semisupcon.evaluation.colours import UNKNOWN, fifths, of_classes
from semisupcon.evaluation.page import write_page
from semisupcon.table import Task

NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
GENRES = Task("gtzan", "multiclass", ("blues", "jazz", "metal"))
TAGS = Task("mtat", "multilabel", ("guitar", "slow"))
MOOD = Task("emomusic", "regression", ("arousal", "valence"))
EVIL = '</script><script>alert("x")</script> & <!-- \u2028 "\\\udcff'


def maps(clips, seed=0):
    rng = np.random.default_rng(seed)
    return {"pca": rng.normal(size=(clips, 2)), "tsne": rng.normal(size=(clips, 2)) * 30 + 100}


def written(path, points=None, names=("a.wav", "b.wav", "c.wav", "d.wav"), labels=None, title="clips"):
    write_page(path / "page.html", title, {"ssl": maps(len(names))} if points is None else points, names, labels or {})
    page = (path / "page.html").read_text(encoding="utf-8")
    return page, json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])


def test_maps_come_back_as_they_were_but_for_place_and_scale(tmp_path):
    points = {"untrained": maps(50, 1), "ssl": {"pca": maps(50, 2)["pca"], "tsne": None}}
    _, data = written(tmp_path, points, [f"{k}.wav" for k in range(50)])

    assert [each["name"] for each in data["encoders"]] == ["untrained", "ssl"]
    assert list(data["encoders"][1]["maps"]) == ["pca"]
    for encoder in data["encoders"]:
        for method, held in encoder["maps"].items():
            given = points[encoder["name"]][method]
            reach = np.ptp(given, axis=0).max()
            back = np.stack([held["x"], held["y"]], axis=1) / 4096 * reach + given.min(axis=0)
            assert np.abs(back - given).max() <= 0.51 * reach / 4096


def test_a_place_that_is_not_finite_is_left_out(tmp_path):
    places = maps(4)["pca"]
    places[1, 0] = np.nan
    _, data = written(tmp_path, {"ssl": {"pca": places, "tsne": np.full((4, 2), np.inf)}})

    held = data["encoders"][0]["maps"]
    assert [value is None for value in held["pca"]["x"]] == [value is None for value in held["pca"]["y"]]
    assert [value is None for value in held["pca"]["x"]] == [False, True, False, False]
    assert held["tsne"]["x"] == [None] * 4


def test_labels_of_every_kind(tmp_path):
    nan = np.nan
    keys = np.eye(24)[[0, 13, 23, 5]]
    _, data = written(
        tmp_path,
        labels={
            "genre": (GENRES, np.array([[1, 0, 0], [nan] * 3, [0, 0, 1], [0, 1, 0]])),
            "tags": (TAGS, np.array([[1, 0], [nan, 1], [0, 0], [nan, nan]])),
            "mood": (MOOD, np.array([[0.1, -2], [nan, 3.123456], [1, nan], [nan, nan]])),
            "key": (Task("synth_key", "key", KEYS), keys),
        },
    )
    genre, tags, mood, key = data["tasks"]

    assert (genre["name"], genre["classes"], genre["of"]) == ("genre", ["blues", "jazz", "metal"], [0, -1, 2, 1])
    assert len(set(genre["colours"])) == 3
    assert tags["tags"] == ["1?0?", "010?"]
    assert mood["values"] == [[0.1, None, 1, None], [-2, 3.1235, None, None]]
    assert key["of"] == [0, 13, 23, 5]
    places = fifths(Task("synth_key", "key", KEYS))
    assert [places[k] for k in key["order"]] == sorted(places)


def test_no_name_breaks_the_page(tmp_path):
    task = Task("t", "multiclass", (EVIL, "b"))
    page, data = written(
        tmp_path, {EVIL: maps(2)}, [EVIL, "täglich/日本.wav"], {EVIL: (task, np.eye(2))}, title=EVIL[:-1]
    )

    assert data["names"] == [EVIL, "täglich/日本.wav"]
    assert data["tasks"][0]["classes"][0] == data["tasks"][0]["name"] == data["encoders"][0]["name"] == EVIL
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    assert unescape(re.search("<title>(.*?)</title>", page, re.DOTALL)[1]) == EVIL[:-1]


def test_the_page_asks_nobody_for_anything(tmp_path):
    page, _ = written(tmp_path)

    assert not re.findall(r"https?:|//[a-z]|\bsrc=|\bhref=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_three_thousand_clips_of_eight_encoders_stay_small(tmp_path):
    rng = np.random.default_rng(0)
    count, tags = 3000, Task("mtat_top50", "multilabel", tuple(f"tag {k}" for k in range(50)))
    labels = {f"tags {k}": (tags, (rng.random((count, 50)) < 0.1).astype(np.float32)) for k in range(5)}
    written(
        tmp_path, {f"encoder {k}": maps(count, k) for k in range(8)}, [f"f/{k:05d}.mp3" for k in range(count)], labels
    )

    assert 500_000 < (tmp_path / "page.html").stat().st_size < 2_000_000


def test_what_does_not_fit_is_refused(tmp_path):
    for points in ({}, {"ssl": {"tsne": None}}):
        with pytest.raises(ValueError, match="no map"):
            written(tmp_path, points)
    with pytest.raises(ValueError, match="no clips"):
        written(tmp_path, {"ssl": maps(0)}, [])
    with pytest.raises(ValueError, match=r"ssl: the map 'pca' is \(3, 2\)"):
        written(tmp_path, {"ssl": {"pca": np.zeros((3, 2))}})
    with pytest.raises(ValueError, match="'umap'"):
        written(tmp_path, {"ssl": {"umap": np.zeros((4, 2))}})
    with pytest.raises(ValueError, match=r"genre: labels \(4, 2\)"):
        written(tmp_path, labels={"genre": (GENRES, np.zeros((4, 2)))})


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_script_is_javascript(tmp_path):
    page, _ = written(tmp_path)
    (tmp_path / "page.js").write_text(page.split("<script>")[1].split("</script>")[0], encoding="utf-8")

    subprocess.run([NODE, "--check", str(tmp_path / "page.js")], check=True, capture_output=True, timeout=60)


DRIVER = """
const choose = (id, value) => { $(id).value = value; $(id).dispatchEvent(new Event('change')); };
const heard = {};
const pointer = (name, clip, shift = 0) => {
  const [x, y] = at(clip), edge = canvas.getBoundingClientRect();
  const place = {clientX: x + edge.left + 1 + shift, clientY: y + edge.top + 1, pointerId: 1};
  canvas.dispatchEvent(new PointerEvent(name, place));
};
const key = (target, name) => target.dispatchEvent(new KeyboardEvent('keydown', {key: name}));
canvas.setPointerCapture = () => {};
paintMap();
heard.first = [state.encoder.name, state.method];
heard.classes = [$('legend').innerText, [...colourOf]];
pointer('pointermove', 2);
heard.hover = $('tip').innerText;
pointer('pointerdown', 2);
pointer('pointerup', 2);
heard.pinned = $('pins').innerText;
pointer('pointerdown', 1);
pointer('pointermove', 1, 40);
pointer('pointerup', 1, 40);
heard.dragged = [state.dx, [...state.pins]];
canvas.dispatchEvent(new MouseEvent('dblclick'));
heard.reset = state.dx;
const before = at(3), edge = canvas.getBoundingClientRect();
const there = {clientX: before[0] + edge.left + canvas.clientLeft, clientY: before[1] + edge.top + canvas.clientTop};
canvas.dispatchEvent(new WheelEvent('wheel', {...there, deltaY: -300, cancelable: true}));
heard.zoom = [state.zoom, Math.hypot(at(3)[0] - before[0], at(3)[1] - before[1])];
key(canvas, '0');
key(canvas, 'ArrowLeft');
heard.arrow = state.dx;
const first = $('legend').querySelector('li button');
first.click();
heard.hidden = [first.getAttribute('aria-pressed'), nearest(at(0))];
first.click();
first.dispatchEvent(new Event('focus'));
heard.lit = state.lit;
key(document, 'Escape');
heard.unpinned = $('pinned').hidden;
choose('task', 1);
choose('column', 1);
heard.tags = [$('about').textContent, $('legend').innerText, label(0), label(3)];
choose('task', 2);
heard.values = [$('legend').innerText, label(1), new Set(colourOf.slice(0, 2)).size];
choose('encoder', 1);
heard.only = [state.method, $('methods').querySelectorAll('button')[1].disabled];
document.body.replaceChildren(JSON.stringify(heard));
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_page_answers_in_a_browser(tmp_path):
    nan = np.nan
    corner = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float)
    page, _ = written(
        tmp_path,
        {"ssl": {"pca": corner, "tsne": corner}, "sl": {"pca": corner}},
        labels={
            "genre": (GENRES, np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [nan] * 3])),
            "tags": (TAGS, np.array([[1, 1], [nan, 1], [0, 0], [nan, nan]])),
            "mood": (MOOD, np.array([[0.1, -2], [0.5, nan], [1, nan], [nan, nan]])),
        },
    )
    (tmp_path / "driven.html").write_text(page.replace("</body>", f"<script>{DRIVER}</script></body>"), "utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,800", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'browser'}", (tmp_path / "driven.html").as_uri()]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    heard = json.loads(unescape(re.search("<body>(.*)</body>", dumped, re.DOTALL)[1]))

    assert heard["first"] == ["ssl", "pca"]
    assert heard["classes"][0].split("\n")[-8:] == [*("blues", "1", "jazz", "1", "metal", "1"), "unknown", "1"]
    assert heard["classes"][1] == [*of_classes(GENRES), UNKNOWN]
    assert heard["hover"].split("\n") == ["c.wav", "metal"]
    assert "c.wav" in heard["pinned"]
    assert heard["dragged"] == [40, [2]]
    assert heard["reset"] == 0
    assert heard["zoom"][0] > 1.2
    assert heard["zoom"][1] < 2  # a synthetic wheel stands on whole pixels; about any other point it is hundreds
    assert heard["arrow"] == 60
    assert heard["hidden"] == ["false", -1]
    assert (heard["lit"], heard["unpinned"]) == (0, True)
    assert heard["tags"][0] == "tags: slow"
    assert heard["tags"][1].split() == ["without", "1", "with", "2", "unknown", "1"]
    assert heard["tags"][2:] == ["guitar, slow", "unknown"]
    assert heard["values"][0].split() == ["0.1", "0.55", "1", "known", "3", "unknown", "1"]
    assert heard["values"][1:] == ["arousal 0.5, valence unknown", 2]
    assert heard["only"] == ["pca", True]
