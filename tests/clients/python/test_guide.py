"""What the guide's page on HTTP and the README show works."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[3]
PAGE = ROOT / "docs" / "guide" / "http.md"
SHOWN = "http://127.0.0.1:8123"


def code(language, first, page=PAGE):
    blocks = re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
    [block] = [block for block in blocks if block.startswith(first)]
    assert SHOWN in block
    return block


def test_the_python_program(url, capsys):
    exec(code("python", "from langgraph_sdk").replace(SHOWN, url), {})
    printed = capsys.readouterr().out
    assert "Please approve/reject the essay" in printed
    assert "updates {'add_numbers': [4, 5]}" in printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
@pytest.mark.parametrize("page", [PAGE, ROOT / "README.md"], ids=lambda page: page.name)
def test_the_session_with_curl(url, page):
    script = code("sh", "api=", page).replace(SHOWN, url)
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = done.stdout.replace(" ", "")
    assert told.startswith("[4,5]")
    assert '{"essay":"Anessayabouttopic:cat","is_approved":true}' in told
    assert told.count('data:{"tick":2}') == 2, "once live, and once from the start"
