"""Which values a subchart gets and whether it is on, as Helm's own engine does it with the same charts."""

import pytest

from tests.unit.discovery.charts.shapes import Texts, about, packed, pod
from transload.discovery.charts import ChartReading, read_chart
from transload.discovery.charts.setting import settings
from transload.discovery.charts.tree import Leaf, Tree, values_of
from transload.discovery.finding import Irrelevant, Question, Unread
from transload.errors import UsageError

REGISTRY = "{{ .Values.global.registry | default .Values.image.registry }}"
IMAGE = f"{REGISTRY}/{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
VALUES = "image: {registry: r, repository: acme/%s, tag: 1.2.3}\nglobal: {}\n"


def chart(name: str, dependencies: str = "", values: str = "", **below: Texts) -> Texts:
    """A chart with one image, and the subcharts `below` in folders of these names."""
    files: dict[str, str | bytes] = {
        "Chart.yaml": about(name, f"dependencies: [{dependencies}]\n" if dependencies else ""),
        "values.yaml": values or VALUES % name,
        "templates/pod.yaml": pod(name, IMAGE),
    }
    for key, inner in below.items():
        files |= {f"charts/{key}/{path}": text for path, text in inner.items()}
    return files


def read(files: Texts, values: str = "") -> ChartReading:
    return read_chart(packed(files), "top.tgz", [values_of(values.encode(), "mine.yaml")])


def found(files: Texts, values: str = "") -> set[str]:
    return {image.finding.text for image in read(files, values).images}


TOP = "r/acme/top:1.2.3"
SUB = "r/acme/sub:1.2.3"


def test_a_subchart_that_nothing_names_is_on() -> None:
    assert found(chart("top", sub=chart("sub"))) == {TOP, SUB}


@pytest.mark.parametrize(
    ("dependency", "values", "on"),
    [
        ("condition: sub.enabled", "", True),
        ("condition: sub.enabled", "sub: {enabled: false}", False),
        ("condition: sub.enabled", "sub: {enabled: 'false'}", True),
        ("condition: 'a.b,sub.enabled'", "sub: {enabled: false}", False),
        ("condition: 'a.b,sub.enabled'", "{a: {b: true}, sub: {enabled: false}}", True),
        ("tags: [x, y]", "tags: {x: false}", False),
        ("tags: [x, y]", "tags: {x: false, y: true}", True),
        ("tags: [x, y]", "tags: {z: false}", True),
        ("tags: [x], condition: sub.enabled", "{tags: {x: false}, sub: {enabled: true}}", True),
        ("tags: [x], condition: sub.enabled", "{tags: {x: true}, sub: {enabled: false}}", False),
    ],
)
def test_conditions_go_before_tags(dependency: str, values: str, on: bool) -> None:
    files = chart("top", f"{{name: sub, version: 1.x, {dependency}}}", sub=chart("sub"))
    assert found(files, values) == ({TOP, SUB} if on else {TOP})


def test_a_condition_may_stand_in_the_values_of_the_subchart() -> None:
    inner = chart("sub", values=f"{VALUES % 'sub'}enabled: false\n")
    assert found(chart("top", "{name: sub, version: 1.x, condition: sub.enabled}", sub=inner)) == {TOP}


def test_below_a_chart_without_dependencies_everything_is_on() -> None:
    middle = chart("sub", "{name: deep, version: 1.x, condition: deep.enabled}", deep=chart("deep"))
    off = "sub: {deep: {enabled: false}}"
    assert found(chart("top", sub=middle), off) == {TOP, SUB, "r/acme/deep:1.2.3"}
    assert found(chart("top", "{name: sub, version: 1.x}", sub=middle), off) == {TOP, SUB}


def test_tags_are_those_of_the_outermost_chart() -> None:
    middle = chart("sub", "{name: deep, version: 1.x, tags: [x]}", deep=chart("deep"))
    files = chart("top", "{name: sub, version: 1.x}", sub=middle)
    assert found(files, "tags: {x: false}") == {TOP, SUB}
    assert found(files, "sub: {tags: {x: false}}") == {TOP, SUB, "r/acme/deep:1.2.3"}


def test_global_goes_down_and_null_takes_away() -> None:
    files = chart("top", "{name: sub, version: 1.x}", sub=chart("sub"))
    assert found(files, "global: {registry: g}") == {"g/acme/top:1.2.3", "g/acme/sub:1.2.3"}
    assert found(files, "sub: {global: {registry: g}}") == {TOP, "g/acme/sub:1.2.3"}
    assert found(files, "{global: {registry: g}, sub: {global: {registry: s}}}") == {
        "g/acme/top:1.2.3",
        "g/acme/sub:1.2.3",
    }
    inner = chart("sub", values="image: {registry: r, repository: acme/sub, tag: 1.2.3}\nglobal: {registry: own}\n")
    own = chart("top", "{name: sub, version: 1.x}", f"{VALUES % 'top'}", sub=inner)
    assert found(own) == {TOP, "own/acme/sub:1.2.3"}
    assert found(own, "sub: {global: {registry: null}}") == {TOP, SUB}


def test_charts_of_helm_2_have_their_dependencies_beside() -> None:
    files = {**chart("top", sub=chart("sub")), "requirements.yaml": "dependencies: [{name: sub, condition: sub.on}]\n"}
    assert found(files, "sub: {on: false}") == {TOP}


def test_what_is_missing_further_below_is_a_question_since_helm_goes_on_without_it() -> None:
    middle = chart("sub", "{name: deep, version: 1.x, repository: 'https://charts.example'}")
    reading = read(chart("top", "{name: sub, version: 1.x}", sub=middle))
    (question,) = [item for item in reading.open if isinstance(item, Question)]
    assert question.reason == (
        "the subchart is not in charts/ of sub (from https://charts.example), and helm goes on without it"
    )
    assert not [item for item in reading.open if isinstance(item, Unread)]


def test_what_is_switched_off_is_counted_also_if_it_is_missing() -> None:
    reading = read(chart("top", "{name: sub, version: 1.x, condition: sub.on}"), "sub: {on: false}")
    assert [type(item) for item in reading.open] == [Irrelevant]


# --- --set


def plain(tree: Tree) -> object:
    if isinstance(tree, Leaf):
        return tree.text
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    return [plain(item) for item in tree]


@pytest.mark.parametrize(
    ("texts", "tree"),
    [
        (["a=1"], {"a": "1"}),
        (["a.b.c=x:1,d=y"], {"a": {"b": {"c": "x:1"}}, "d": "y"}),
        (["a=1", "a=2"], {"a": "2"}),
        (["a[1].b=x"], {"a": ["", {"b": "x"}]}),
        (["a[0]=x,a[1]=y"], {"a": ["x", "y"]}),
        (["a={x,y}"], {"a": ["x", "y"]}),
        ([r"a\.b=x\,y"], {"a.b": "x,y"}),
        (["a="], {"a": ""}),
        (["a=null"], {"a": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (["image.tag=1.10"], {"image": {"tag": "1.10"}}),
        ([""], {}),
    ],
)
def test_values_on_the_command_line(texts: list[str], tree: object) -> None:
    assert plain(settings(texts, {})) == tree


@pytest.mark.parametrize("text", ["a", "=1", ".a=1", "[0]=1", "a,b=1", "a[x]=1", "a[0=1"])
def test_what_sets_no_value(text: str) -> None:
    with pytest.raises(UsageError, match="sets no value"):
        settings([text], {})


def test_an_image_that_is_global_is_named_once_for_all_that_use_it() -> None:
    image = "{{ .Values.global.image.repository }}:{{ .Values.global.image.tag | default .Chart.AppVersion }}"
    sub: Texts = {"Chart.yaml": about("sub", app="2.0"), "templates/pod.yaml": pod("sub", image)}
    values = "global:\n  image: {repository: acme/all, tag: ''}\n"
    reading = read({**chart("top", values=values, sub=sub), "templates/pod.yaml": "a: 1\n"})
    (found_image,) = reading.images
    assert (found_image.finding.text, found_image.finding.place.path) == ("acme/all:2.0", "global.image")
    assert found_image.fields is not None
    assert found_image.fields.tag == ("global", "image", "tag")
    assert not [item for item in reading.open if isinstance(item, Question)]
