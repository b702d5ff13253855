"""Questions: of whom and when figures are asked for, and what may not be asked."""

import msgspec
import pytest

from monitor.kpi import FIGURES, Extent, Unanswerable, ask
from monitor.kpi.extent import home, say_extent
from monitor.language import LANGS
from monitor.rulebook.model import Region
from monitor.scope import Scope
from tests.monitor.kpi.town import LAND, SCHOOL, TOWN

ALL_BELOW = TOWN.below("4509")


def scope(regions: frozenset[str] | None = None, department: str | None = None) -> Scope:
    """Give what a leader of these regions, or of this department, may see."""
    return Scope(regions, department, ("card",), persons=False)


def refused(key: str) -> str:
    """Give the pattern of an error whose text stands under a key of the catalogue."""
    return {"out_of_scope": "not all within what you may see", "item_alone": "wherever it is handled"}.get(key, key)


def test_by_default_all_figures_of_all_departments_are_asked_for() -> None:
    """The region is the lowest that takes in every department, with all below it."""
    question = ask(None)
    assert [figure.id for figure in question.figures] == list(FIGURES)
    assert question.within(TOWN) == Extent("4509")
    above = msgspec.structs.replace(
        TOWN,
        regions=(
            Region(code="45", name="广西", name_en="Guangxi", level="region"),
            *(msgspec.structs.replace(r, parent=r.parent or "45") for r in TOWN.regions),
        ),
    )
    assert home(above) == "4509", "what has no department of its own adds nothing"


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ({"figures": ["nonsense"]}, "There is no figure nonsense"),
        ({"figures": None, "period": "soon"}, "soon is no period"),
        ({"figures": None, "item": "permit", "department": LAND}, "item_alone"),
        ({"figures": None, "item": "permit", "below": False}, "item_alone"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_remedy(question: dict[str, object], key: str) -> None:
    """The error says what is wrong and what to do, in both languages."""
    with pytest.raises(Unanswerable, match=refused(key)) as error:
        ask(**question)  # type: ignore[arg-type]
    for lang in LANGS:
        assert error.value.say(lang)
        assert error.value.answer(lang).status == 400


@pytest.mark.parametrize("extent", [{"region": "99"}, {"department": "no"}, {"item": "no"}])
def test_codes_the_rulebook_lacks_are_refused(extent: dict[str, str]) -> None:
    """A mistyped code is no region without cases."""
    with pytest.raises(Unanswerable, match=f"The rulebook has no {next(iter(extent))}"):
        ask(None, **extent).within(TOWN)  # type: ignore[arg-type]


def test_one_sees_ones_own_region_and_department_and_no_more() -> None:
    """Who names nothing gets what he may see; who names more is refused, whatever there is to see."""
    county = scope(frozenset({"450921"}))
    assert ask(None).within(TOWN, county) == Extent("450921")
    assert ask(None).within(TOWN, scope(ALL_BELOW)) == Extent("4509")
    assert ask(None).within(TOWN, scope(department=LAND)) == Extent("4509", department=LAND)
    for question, who in (
        (ask(None, region="4509"), county),
        (ask(None, department=SCHOOL), scope(department=LAND)),
        (ask(None, item="permit"), county),
        (ask(None, item="lesson"), scope(department=LAND)),
    ):
        with pytest.raises(Unanswerable, match=refused("out_of_scope")) as error:
            question.within(TOWN, who)
        assert error.value.answer("zh").status == 403
    assert ask(None, item="lesson").within(TOWN, county) == Extent(item="lesson")
    assert ask(None, item="permit").within(TOWN, scope(department=LAND)) == Extent(item="permit")


def test_a_scope_without_regions_sees_nothing() -> None:
    """A region that is no more in the rulebook leaves nothing to see, not everything."""
    with pytest.raises(Unanswerable, match=refused("out_of_scope")):
        ask(None).within(TOWN, scope(frozenset()))


def test_an_extent_says_which_of_its_two_meanings_it_has() -> None:
    """The level itself (市本级) and with all below (全市) are never taken for each other."""
    assert say_extent(Extent("4509"), TOWN, "zh") == "玉林市（全市）"
    assert say_extent(Extent("4509", below=False), TOWN, "zh") == "玉林市（市本级）"
    assert (
        say_extent(Extent("450921", below=False, department=SCHOOL), TOWN, "en") == "Rong (the county itself) · School"
    )
    assert say_extent(Extent(item="permit"), TOWN, "en") == "permit"
    assert say_extent(Extent(), TOWN, "en") == "everything"
