"""The study's page: one file, no network, light and dark."""

from qproj.lab.report.study_page import write_report

__all__ = ["write_report"]
