"""A run's report: one HTML file that holds its figures and tables and needs no network."""

from jaxnn.report.page import Picture as Picture
from jaxnn.report.page import Table as Table
from jaxnn.report.page import page as page
from jaxnn.report.write import write_report as write_report
