"""A notebook in a real kernel: `%%unstuck`, `render`, and the names of cells."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

DATA = """\
import torch, unstuck, io
from torch import nn
torch.manual_seed(0)
x = torch.randn(256, 20)
y = (x @ torch.randn(20, 4)).argmax(1)
model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))"""
TRAIN = """\
print("hello")
optimizer = torch.optim.SGD(model.parameters(), lr=30.0)
for step in range(80):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()"""


def test_a_notebook() -> None:
    block = "\n".join(f"    {line}" for line in TRAIN.splitlines())
    judged = "\n".join((
        "found = watch.diagnose()", "file = io.StringIO()", "unstuck.render(found, file=file)",
        "print(len(file.getvalue()) > 100)", "unstuck.render(found)"))
    sources = (
        "%load_ext unstuck", DATA, f"%%unstuck\n{TRAIN}",
        "for layer in model[::2]: layer.reset_parameters()",
        f"with unstuck.watch() as watch:\n{block}\n{judged}", "%%unstuck\n\n1 / 0")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=300, allow_errors=True, kernel_name="python3").execute()
    first, second, third = (notebook.cells[i].outputs for i in (2, 4, 5))
    assert [output.output_type for output in first] == ["stream", "display_data"]
    shown = first[1]["data"]["text/html"]
    assert "error[learning-rate-too-high]" in shown
    assert "Cell In[3], line 3" in shown
    assert "^^^^" in shown
    assert "!unstuck explain" in shown
    assert "".join(o["text"] for o in second if o.get("name") == "stdout") == "hello\nTrue\n"
    assert not [o["text"] for o in second if o.get("name") == "stderr"]
    (report,) = (output for output in second if output.output_type == "display_data")
    assert "Cell In[5], line 3" in report["data"]["text/html"]
    assert [output.get("ename") for output in third if output.output_type == "error"] == [
        "ZeroDivisionError"]
    assert any("at Cell In[6], line 3" in output.get("text", "") for output in third)
