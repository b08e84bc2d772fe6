"""How `make docs` builds these pages. Each of them reads on its own as Markdown too."""

project = "trader"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "trader"
html_static_path: list[str] = []
exclude_patterns = ["man"]
myst_heading_anchors = 3
nitpicky = True
