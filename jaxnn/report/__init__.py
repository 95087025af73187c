"""The report of a run: one HTML file that contains its figures and tables and needs no network."""

from jaxnn.report.html_table import Table as Table
from jaxnn.report.page import Headline as Headline
from jaxnn.report.page import Picture as Picture
from jaxnn.report.page import page as page
from jaxnn.report.page import write_report as write_report
