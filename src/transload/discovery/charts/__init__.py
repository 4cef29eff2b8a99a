"""Helm charts: a folder or a packed chart in, the images that it needs out, and where its values name them."""

from transload.discovery.charts.chart import NoChart
from transload.discovery.charts.fields import ChartImage, Fields
from transload.discovery.charts.reading import ChartReading, read_chart, read_chart_folder
from transload.discovery.charts.tree import Leaf, Path, Tree

__all__ = ["ChartImage", "ChartReading", "Fields", "Leaf", "NoChart", "Path", "Tree", "read_chart", "read_chart_folder"]
