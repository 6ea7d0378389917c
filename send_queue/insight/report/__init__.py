"""The report: one page that cron writes and a person shows around. No script, no network, no other file.

figures.py        what is known: the status, the last days, the tries, the week's calendar, the forecast
week.py           a schedule as the open hours of seven days; pure
advice.py         what needs a person, and the command that sees to it; pure
charts.py         figures as SVG, each with words for who does not see it; pure
page.py           figures into the template, page.html.j2, with style.css in it
"""

from send_queue.insight.report.figures import Figures, gather
from send_queue.insight.report.page import html

__all__ = ["Figures", "gather", "html"]
