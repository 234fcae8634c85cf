"""One HTML page, complete in itself: players, spectrograms, and what each augmentation says of itself."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from semisupcon.augment.listening import plots
from semisupcon.augment.listening.describe import Description, Parameter
from semisupcon.augment.listening.render import CANDIDATES, Entry, Sound
from semisupcon.augment.listening.style import CSS, SCRIPT

# By this, early in a file, the command knows its own pages again.
MARK = '<meta name="generator" content="semisupcon.augment">'


@dataclass(frozen=True)
class Heading:
    """What a page is about.

    Args:
        title: the name of the audio file.
        excerpt: which part of it, at which rate, in words.
        command: the command line that makes the page again.
        sample_rate: Hz.
    """

    title: str
    excerpt: str
    command: str
    sample_rate: int


def page(heading: Heading, original: Sound, transforms: Sequence[Entry], presets: Sequence[Entry]) -> str:
    """The page as text.

    Args:
        heading: what it is about.
        original: what was augmented.
        transforms: each with its severities beside each other.
        presets: each with its draws beside each other.
    """
    axis = "".join(
        f'<span style="bottom:{100 * where:.1f}%">{what}</span>' for what, where in plots.marks(heading.sample_rate)
    )
    links = [*((entry, "") for entry in transforms), *((entry, ' class="preset"') for entry in presets)]
    anchors = "".join(f'<a{cls} href="#{_text(each.about.name)}">{_text(each.about.name)}</a>' for each, cls in links)
    sections = [f'<h3>{title}</h3>\n{_articles(entries, axis)}' for title, entries in (
        ("One by one", transforms), ("Presets, each a chain", presets),
    ) if entries]  # fmt: skip
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Augmentations of {_text(heading.title)}</title>
<style>{CSS}</style>
</head>
<body>
<header><button type="button" hidden>▶ original</button><nav>{anchors}</nav></header>
<main>
<h1>{_text(heading.title)}</h1>
<p class="soft">{_text(heading.excerpt)}</p>
<article id="original">
{_figure(original, axis)}
</article>
{_how(original)}
{"".join(sections)}
</main>
<footer>Made by <code>{_text(heading.command)}</code></footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _how(original: Sound) -> str:
    """What one must know to read the page."""
    return f"""<p>Here every augmentation is applied <b>with certainty</b>; in training it changes an example with the
probability p beside each sound, among those examples that go through the chain at all. Severity 0 is off, 2 is as
published; the <i>strength</i> of the descriptions is half of it. An augmentation is drawn {CANDIDATES} times, and the
middle draw is shown, by how much it changes the spectrogram: the same draw at each severity. Presets are drawn for an
example that goes through; what they are made of keeps its probabilities, and each draw says what it has got.</p>
<p class="soft">Spectrograms: {original.seconds:.3g} s, mel scale, marks in Hz; the same colours for all, from the
loudest of the original down to {plots.RANGE:g} dB below. Click into one to hear it from there. Levels are against the
original. Sound beyond full scale is turned down for playing only, which is then said beside it.</p>
"""


def _articles(entries: Iterable[Entry], axis: str) -> str:
    return "".join(
        f'<article id="{_text(entry.about.name)}">\n{_about(entry.about)}\n'
        + "".join(
            f'<div class="sounds">\n{"".join(_figure(sound, axis) for sound in row)}</div>\n' for row in entry.rows
        )
        + "</article>\n"
        for entry in entries
    )


def _about(about: Description) -> str:
    p = "" if about.p is None else f'<span class="badge">p = {about.p:g} at severity 2</span>'
    spoils = "".join(f'<span class="badge warns">changes the {_text(what)}</span>' for what in about.alters)
    rows = _table(about.parameters)
    members = "".join(map(_member, about.members))
    right = f"<div>{rows}{members}</div>" if rows or members else ""
    strength = f'<p class="soft">{_prose(about.strength)}</p>' if about.strength else ""
    source = f'<p class="soft">{_text(about.source)}</p>' if about.source else ""
    return (
        f'<div class="about{" wide" if right else ""}"><div><h2>{_text(about.name)}{p}{spoils}</h2>'
        f"<p>{_prose(about.sentence)}</p>{strength}{source}</div>{right}</div>"
    )


def _member(about: Description) -> str:
    """What a preset, or a choice, is made of, on a line that opens."""
    return (
        f"<details><summary><code>{_text(about.name)}</code>{_brief(about)}</summary><p>{_prose(about.sentence)} "
        f"{_prose(about.strength)}</p>{_table(about.parameters)}{''.join(map(_member, about.members))}</details>"
    )


def _brief(about: Description) -> str:
    """The ranges of a member on the line that opens its details."""
    ranges = ", ".join(f"{each.name} {each.value}" for each in about.parameters)
    return f" {_text(ranges)}" if ranges else ""


def _table(parameters: Sequence[Parameter]) -> str:
    rows = (
        f'<tr><th scope="row">{_text(each.name)}</th><td>{_text(each.value)}</td><td>{_prose(each.meaning)}</td></tr>'
        for each in parameters
    )
    return f"<table>{''.join(rows)}</table>" if parameters else ""


def _figure(sound: Sound, axis: str) -> str:
    # Loaded when played only: browsers refuse a hundred players that are ready at once.
    return (
        f'<figure data-seconds="{sound.seconds:.4f}"><figcaption><b>{_text(sound.label)}</b>'
        f"<span>{_text(' · '.join(sound.notes)).replace(' dB', '&nbsp;dB')}</span></figcaption>"
        f'<div class="see"><img alt="spectrogram, {_text(sound.label)}" '
        f'src="data:image/png;base64,{_base64(plots.png(sound.picture))}">{axis}<i></i></div>'
        f'<audio controls preload="none" src="data:audio/flac;base64,{_base64(sound.flac)}"></audio></figure>\n'
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _text(text: str) -> str:
    """As HTML shows it."""
    return html.escape(text, quote=True)


def _prose(text: str) -> str:
    """A docstring's sentence, code in it set as code."""
    return re.sub(r"``(.+?)``", r"<code>\1</code>", _text(text))
