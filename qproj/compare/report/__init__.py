"""The study's page: one file, no network, light and dark."""

from qproj.compare.report.page import write_report

__all__ = ["write_report"]
