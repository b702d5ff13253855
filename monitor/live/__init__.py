"""The live page: what a leader sees at a glance, in Chinese and English, renewed by itself.

`board` reads the figures and writes them out as people read them, `page` serves the one HTML page; its style and
script lie beside them. Nothing here shows a window, an operator or an applicant.
"""

from monitor.live.board import Board, Notice, read_board
from monitor.live.page import ASSETS, HEADERS, render_page

__all__ = ["ASSETS", "HEADERS", "Board", "Notice", "read_board", "render_page"]
