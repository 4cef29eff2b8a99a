"""Where a chart's values name an image, so that others can be written in its place."""

from __future__ import annotations

from transload.discovery.charts.tree import Path
from transload.discovery.finding import Finding
from transload.values import frozen


@frozen(kw_only=True)
class Fields:
    """The paths, from the root of the values, to the parts of one image's name.

    Either `whole` leads to a text that has the whole name in it (`text` of the image, perhaps with other words around
    it, such as `--image=`), or `repository` leads to the repository, and the others to the parts that have a value of
    their own. A part without a path is inside another one, is added by the templates (`appVersion` as the tag), or
    does not exist. `shared_registry` leads to `global.imageRegistry` or the like where the chart has one: if it has a
    text, that precedes `registry`. An empty text at a path is a part that can be set.
    Values of a subchart stand under its name or alias, so paths into them begin with it. A path may lead into a list;
    Helm does not merge lists, so all of the list has to be written again.
    """

    whole: Path | None = None
    registry: Path | None = None
    shared_registry: Path | None = None
    repository: Path | None = None
    tag: Path | None = None
    digest: Path | None = None

    def below(self, path: Path) -> Fields:
        """The same fields of a chart whose values stand at `path`. What is `global` is so from the root on."""

        def under(own: Path | None) -> Path | None:
            return None if own is None else own if own[0] == "global" else (*path, *own)

        return Fields(
            whole=under(self.whole),
            registry=under(self.registry),
            shared_registry=under(self.shared_registry),
            repository=under(self.repository),
            tag=under(self.tag),
            digest=under(self.digest),
        )


@frozen(kw_only=True)
class ChartImage:
    """An image of a chart. `fields` is None where no value names it: in templates and annotations."""

    finding: Finding
    fields: Fields | None = None
