"""Helm charts as a store: those of a chart repository, or files on this machine, as the artifacts that Helm makes."""

from transload.charts.chart import Chart
from transload.charts.opening import open_charts
from transload.charts.store import ChartStore

__all__ = ["Chart", "ChartStore", "open_charts"]
