"""Carries out a plan on a cluster of Dask: needs the extra `distributed`. The scheduler and the workers need it too."""

from transload.distributed.running import run

__all__ = ["run"]
