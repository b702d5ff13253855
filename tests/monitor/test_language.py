"""The catalogue of texts in two languages."""

import string
import tomllib

import pytest

from monitor.language import LANGS, Lang, catalogue, text
from tests.conftest import ROOT


def placeholders(template: str) -> set[str]:
    """Name the parameters a text is filled with."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_both_languages_hold_the_same_keys() -> None:
    """No text exists in one language only."""
    assert catalogue("zh").keys() ^ catalogue("en").keys() == set()


def test_both_languages_take_the_same_parameters() -> None:
    """A text shows the same facts in Chinese and in English."""
    zh, en = catalogue("zh"), catalogue("en")
    assert {key for key in zh.keys() & en.keys() if placeholders(zh[key]) != placeholders(en[key])} == set()


@pytest.mark.parametrize("lang", LANGS)
def test_no_text_is_empty_or_positional(lang: Lang) -> None:
    """Every text says something, and every parameter has a name."""
    assert [
        key
        for key, template in catalogue(lang).items()
        if not template.strip() or not all(name.isidentifier() for name in placeholders(template))
    ] == []


@pytest.mark.parametrize("lang", LANGS)
def test_tables_are_sorted(lang: Lang) -> None:
    """A text is found where its name says: the tables of a file are in alphabetical order."""
    source = (ROOT / "monitor" / "language" / f"{lang}.toml").read_text(encoding="utf-8")
    tables = list(tomllib.loads(source))
    assert tables == sorted(tables)


def test_text_comes_in_the_language_asked_for() -> None:
    """The product introduces itself in both languages."""
    assert text("product.name", "zh") == "电子监察系统"
    assert text("product.name", "en") == "Electronic supervision monitor"


def test_unknown_key_is_named_with_its_language() -> None:
    """A missing text is an error that says which key of which language to add."""
    with pytest.raises(KeyError, match=r"no text 'product\.nme' in language 'en'.*en\.toml"):
        text("product.nme", "en")


def test_unknown_language_is_refused() -> None:
    """A language from a request never becomes a file name."""
    with pytest.raises(KeyError, match="choose one of zh, en"):
        text("product.name", "../pyproject")  # type: ignore[arg-type]


def test_missing_parameter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that cannot be filled says which key lacks which parameter, and never shows a bare brace."""
    monkeypatch.setattr("monitor.language.catalogue", lambda lang: {"card.title": "{department} is late"})
    assert text("card.title", "en", department="Land", unused=1) == "Land is late"
    with pytest.raises(KeyError, match=r"card\.title.*'en' needs the parameter 'department'"):
        text("card.title", "en")
