"""The one catalogue of texts that people see, in Chinese (`zh.toml`) and English (`en.toml`).

A text is named by a dotted key over nested tables; both files hold the same keys and placeholders.
Not here: logs and errors for developers, which are English and stay beside the code that raises them.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, get_args

__all__ = ["LANGS", "Lang", "catalogue", "text"]

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = get_args(Lang)


def text(key: str, lang: Lang, /, **params: object) -> str:
    """Return the text called `key` in `lang`, with its `{placeholders}` filled from `params`.

    Raise `KeyError`, naming key and language, when the catalogue has no such text, no such language,
    or the text needs a parameter that was not given. Parameters a text does not use are ignored.
    """
    template = catalogue(lang).get(key)
    if template is None:
        raise KeyError(f"no text {key!r} in language {lang!r}: add it to monitor/language/{lang}.toml")
    try:
        return template.format(**params)
    except (KeyError, IndexError) as missing:
        raise KeyError(f"text {key!r} in language {lang!r} needs the parameter {missing}") from missing


@cache
def catalogue(lang: Lang) -> Mapping[str, str]:
    """Return every text of `lang` by its dotted key, in the order of the file.

    Raise `KeyError` for a language that is not shipped and `TypeError` for a value that is not a text.
    """
    # Checked although typed: a language also arrives in requests, and must never become a file name.
    if lang not in LANGS:
        raise KeyError(f"no language {lang!r}: choose one of {', '.join(LANGS)}")
    source = files(__name__).joinpath(f"{lang}.toml").read_text(encoding="utf-8")
    return MappingProxyType(dict(_flatten(tomllib.loads(source), lang, "")))


def _flatten(table: Mapping[str, Any], lang: Lang, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, Mapping):
            yield from _flatten(value, lang, f"{key}.")
        elif isinstance(value, str):
            yield key, value
        else:
            raise TypeError(f"{lang}.toml: {key} is a {type(value).__name__}, expected a text in quotes")
