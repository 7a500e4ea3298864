"""Tab in JupyterLab: subcommands on the %agent line, variables after an @."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def press_tab(notebook, index, text):
    """Write at the end of a cell and press Tab; the texts that are offered, and the whole of what is shown."""
    notebook.cell(index).locator(".cm-content").first.click()
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.type(text)
    notebook.page.keyboard.press("Tab")
    items = notebook.page.locator(".jp-Completer .jp-Completer-item")
    items.first.wait_for(timeout=20_000)
    return notebook.page.locator(".jp-Completer .jp-Completer-match").all_inner_texts(), items.all_inner_texts()


def test_tab_offers_subcommands_and_variables(open_notebook, screenshot):
    setup = "%load_ext statebook\nimport pandas as pd\nsales = pd.DataFrame({'eur': [1, 2]})\nrates = {'eur': 1.1}"
    notebook = open_notebook("tab.ipynb", setup, "", "%%agent\nCompare these:")
    notebook.run(0)
    offered, shown = press_tab(notebook, 1, "%agent co")
    screenshot(notebook.page, "tab-subcommands")
    assert offered == ["compact", "config", "context", "cost"]  # JupyterLab sorts
    assert "the settings in force, and where each comes from" in shown[1].replace("\N{NO-BREAK SPACE}", " ")
    notebook.page.keyboard.press("Escape")
    offered, shown = press_tab(notebook, 2, " @")
    screenshot(notebook.page, "tab-variables")
    assert offered == ["@file:", "@pd", "@rates", "@sales"]
    assert "dataframe" in shown[3].casefold()
    notebook.page.keyboard.type("sa")
    notebook.page.keyboard.press("Enter")
    assert "Compare these: @sales" in notebook.cell(2).locator(".cm-content").inner_text()
