"""The page of the guide on HTTP: what it shows works."""

import pathlib
import re
import shutil
import subprocess

import pytest

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "guide" / "http.md"
SHOWN = "http://127.0.0.1:8123"


def code(language, first):
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [block] = [block for block in blocks if block.startswith(first)]
    assert SHOWN in block
    return block


def test_the_python_program(url, capsys):
    exec(code("python", "from langgraph_sdk").replace(SHOWN, url), {})
    printed = capsys.readouterr().out
    assert "Please approve/reject the essay" in printed
    assert "updates {'add_numbers': [4, 5]}" in printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
def test_the_session_with_curl(url):
    script = code("sh", "api=").replace(SHOWN, url)
    done = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = done.stdout.replace(" ", "")
    assert told.startswith("[4,5]")
    assert '{"essay":"Anessayabouttopic:cat","is_approved":true}' in told
    assert told.count('data:{"tick":2}') == 2, "once live, and once from the start"
