"""Products as lists of references: catalogs, image sets, reference lists. Values and pure functions, no network."""

from transload.catalog.builtin import builtin, load_builtin
from transload.catalog.catalog import NEWEST, Catalog
from transload.catalog.chartaddress import ChartAddress
from transload.catalog.chartuse import ChartUse
from transload.catalog.difference import Difference, images_directly_under
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.offer import Holding, Offer, ReleaseList
from transload.catalog.references import parse_references, select_references, wanted
from transload.catalog.release import CompanionImage, Release
from transload.catalog.ruled import Choice, RuledImages, RuledPrefix
from transload.catalog.selected import Selected, merge
from transload.catalog.tagrule import TagRule, TagVerdict, judge_tags
from transload.catalog.versionrange import VersionRange, order_key

__all__ = [
    "NEWEST",
    "Catalog",
    "CatalogUse",
    "ChartAddress",
    "ChartUse",
    "Choice",
    "CompanionImage",
    "Difference",
    "Holding",
    "ImageSet",
    "Offer",
    "Release",
    "ReleaseList",
    "RuledImages",
    "RuledPrefix",
    "Selected",
    "TagRule",
    "TagVerdict",
    "VersionRange",
    "builtin",
    "images_directly_under",
    "judge_tags",
    "load_builtin",
    "merge",
    "order_key",
    "parse_references",
    "select_references",
    "wanted",
]
