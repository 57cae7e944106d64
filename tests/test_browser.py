"""The report in a real browser, as a person has it: from a folder, without a server or a network."""

import json
import re
import shutil
import subprocess

import pytest

from project import STUDY

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What a person would do, done on a page once it is drawn; what came of it is written into its title.
CLICKS = """
<script>
const seen = { errors: 0 };
window.addEventListener("error", () => { seen.errors += 1; });
window.addEventListener("load", () => setTimeout(() => {
  const table = document.querySelector("table.dataTable"), chart = document.querySelector(".chart");
  const column = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[1].dataset.order || -1));
  if (table) table.tHead.rows[0].cells[1].click();
  if (chart) {
    seen.before = chart.data.filter((trace) => trace.visible === true).length;
    chart.querySelector(".legendtoggle").dispatchEvent(new MouseEvent("mousedown"));
    chart.querySelector(".legendtoggle").dispatchEvent(new MouseEvent("mouseup"));
  }
  setTimeout(() => {
    if (table) {
      seen.sorted = column().every((value, k, all) => k === 0 || all[k - 1] <= value);
      seen.downloads = document.querySelectorAll("button.buttons-csv").length;
    }
    if (chart) {
      seen.after = chart.data.filter((trace) => trace.visible === true).length;
      seen.hovers = chart.data[0].text[0];
      seen.charts = document.querySelectorAll("figure.drawn .main-svg").length;
    }
    document.title = JSON.stringify(seen);
  }, 1000);
}, 1000));
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_tables_sort_and_methods_are_switched_in_a_browser(finished, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(finished / STUDY / "report", folder / "report")
    shutil.copytree(finished / STUDY / "figures", folder / "figures")
    page = folder / "report/figures.html"
    # One page with both: a table of another topic is put beside the charts.
    results = (folder / "report/results.html").read_text()
    table, needs = (
        re.search(r'<div class="scroll"><table>.*?</table></div>', results, re.DOTALL)[0],
        "".join(re.findall(r'<script src="assets/dataTables.*</script>\n', results)),
    )
    text = (
        page.read_text()
        .replace("</main>", f"{table}</main>")
        .replace('<script src="assets/site', f'{needs}<script src="assets/site')
    )
    page.write_text(text.replace("</body>", f"{CLICKS}</body>"))
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=8000",
        f"--user-data-dir={tmp_path}/profile",
    ]
    done = subprocess.run([BROWSER, *options, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    seen = json.loads(re.search(r"<title>(.*?)</title>", done.stdout)[1])
    assert seen["errors"] == 0 and seen["charts"] and seen["sorted"] and seen["downloads"] == 1
    assert seen["after"] == seen["before"] - 1 and "median" in seen["hovers"]
