"""The report: one page without scripts, network or other files.

figures.py        the data: status, last days, tries, the week's calendar, forecast
week.py           a schedule as the open hours of seven days; pure
advice.py         problems for a person, each with its command; pure
charts.py         SVG, with text for screen readers; pure
page.py           the template page.html.j2 filled in, with style.css inside
"""

from send_queue.insight.report.figures import Figures, gather
from send_queue.insight.report.page import html

__all__ = ["Figures", "gather", "html"]
