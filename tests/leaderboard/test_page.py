import json
import shutil
import threading
import urllib.error
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ecdbench import evaluate
from ecdbench.leaderboard.board import make_board
from ecdbench.leaderboard.page import make_page
from ecdbench.leaderboard.render import to_json, to_markdown
from ecdbench.leaderboard.serve import serve_page
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescore import rescore
from ecdbench.submissions.submit import submit

from ..submissions.corpus import ALLOWED, CANARY, FLAGGED, REFUSED, SCRIPT, spoil_all


class Elements(HTMLParser):
    """Every start tag and its attributes, and the text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def entries(tmp_path_factory, honest):
    """Hostile entries, odd ones, and an honest one, in one folder."""
    root = tmp_path_factory.mktemp("board")
    spoil_all(root / "entries", honest)
    shutil.copytree(honest, root / "entries" / honest.parent.name / "honest")
    return root / "entries"


@pytest.fixture(scope="module")
def board(entries):
    return make_board([entries])


def test_the_rest_of_the_board_still_builds(board, entries):
    shown = {row.contestant.name for section in board.sections for row in section.rows}
    assert shown == {"honest", *FLAGGED, *ALLOWED}
    assert len(board.left_out) == len(REFUSED) + 2  # what two of the linked ones point to
    for section in board.sections:
        for row in section.rows:
            assert (row.rank is None) == (section.protocol == "fixed" and row.contestant.name in FLAGGED)
    honest = next(r for s in board.sections for r in s.rows if r.contestant.name == "honest" and s.protocol == "fixed")
    expected = rescore(entries / "ecd-fcc--k_vrh" / "honest" / "fixed-official").scores["holdout"]
    assert honest.contestant.run.scores["holdout"] == expected
    assert not list(Path.cwd().rglob(CANARY)) and not list(entries.rglob(CANARY))


def test_no_text_of_an_entry_becomes_markup(board):
    page = make_page(board)
    elements = Elements(page)
    kinds = [attributes.get("type") for tag, attributes in elements.found if tag == "script"]
    assert kinds == ["application/json"] * len(board.sections) + [None]
    assert not [tag for tag, _ in elements.found if tag in ("img", "iframe", "object", "embed", "base")]
    handlers = [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert not handlers
    assert SCRIPT in "".join(elements.text)  # it is shown, as the text that it is
    for _, attributes in elements.found:
        for name in ("src", "href", "action"):
            value = attributes.get(name) or ""
            assert value.startswith(("", "#", "data:,", "https://orcid.org/", "https://example.org/"))
            assert name == "href" or not value
    assert "<script" not in to_markdown(board)
    json.loads(to_json(board))


def test_the_page_shows_what_was_recomputed(board, entries):
    scores = rescore(entries / "ecd-fcc--k_vrh" / "honest" / "fixed-official").scores["holdout"]
    page = make_page(board)
    assert f'data-value="{scores.rmse.value}"' in page
    assert f"{scores.rmse.value:.3g} [{scores.rmse.low:.3g}, {scores.rmse.high:.3g}]" in page


def test_200_entries_stay_small(tmp_path, honest, k_vrh):
    names = [f"model-{number}" for number in range(100)]
    for name in names:
        copy = tmp_path / "entries" / honest.parent.name / name
        shutil.copytree(honest, copy)
        (copy / "card.yaml").write_text((copy / "card.yaml").read_text().replace("name: honest", f"name: {name}"))
    board = make_board([tmp_path / "entries"])
    assert sum(len(section.rows) for section in board.sections) == 200
    assert len(make_page(board).encode()) < 2_000_000


def test_the_server_serves_the_page_and_nothing_else():
    ready: list[str] = []
    asked = threading.Event()

    def known(address):
        ready.append(address)
        asked.set()

    threading.Thread(target=serve_page, args=("<p>board</p>", known), daemon=True).start()
    assert asked.wait(10)
    with urllib.request.urlopen(ready[0]) as answer:
        assert answer.read() == b"<p>board</p>"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(ready[0] + "../../etc/passwd")


@pytest.fixture(scope="module")
def browser():
    """Chromium of this machine, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield window
        window.close()


@pytest.fixture
def opened(browser, tmp_path, sfe_dir, card_text):
    """The board of real runs on sfe and ecd-fcc, opened from disk; what it asked for and complained of."""
    for model in ("mean", "composition-forest", "pixel-ridge", "knn-composition"):
        for task in ("sfe", "ecd-fcc/k_vrh"):
            run = evaluate(model, task, data_dir=sfe_dir, out=tmp_path / "runs")
            inputs = ", ".join(run.result.model.inputs or [])
            card = card_text.replace("honest", model).replace("[formula]", f"[{inputs}]")
            (tmp_path / "card.yaml").write_text(card)
            submit([run.folder], tmp_path / "card.yaml", tmp_path / "entries", References(sfe_dir))
    board = make_board([tmp_path / "entries"], data_dir=sfe_dir)
    file = tmp_path / "board.html"
    file.write_text(make_page(board, sfe_dir))
    page = browser.new_page()
    said, requests = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{file.as_uri()}#task-1")
    yield page, board, said, requests, file.as_uri()
    page.close()


def test_in_a_browser(opened):
    page, board, said, requests, address = opened
    section = next(section for section in board.sections if section.task == "sfe")
    table = page.locator("article:visible section.board table")
    rows = page.locator("article:visible tr[data-id]")

    def names():
        return rows.locator(".open").all_text_contents()

    def column(number):
        return [row.locator("td,th").nth(number).text_content() for row in rows.all()]

    # It opens on the task of its address, in order of rank, with the numbers that were recomputed.
    assert page.locator("article:visible h2").text_content() == "sfe"
    assert names() == [row.contestant.name for row in section.rows]
    for shown, row in zip(column(5), section.rows, strict=True):
        rmse = row.contestant.run.scores["holdout"].rmse
        assert shown.strip() == f"{rmse.value:.3g} [{rmse.low:.3g}, {rmse.high:.3g}]"
        again = rescore(row.contestant.run.run.folder, References(None)).scores["holdout"].rmse
        assert again == rmse
    # Sorting: by model, then by MAE downwards, with the keyboard.
    table.locator("thead button", has_text="model").click()
    assert names() == sorted(names())
    assert table.locator("th[aria-sort=ascending]").count() == 1
    mae = table.locator("thead button", has_text="MAE")
    mae.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    values = [float(text) for text in column(7)]
    assert values == sorted(values, reverse=True)
    # Filtering: by what a model looks at, and by its name.
    page.locator("article:visible select[name=inputs]").select_option("image")
    assert rows.filter(visible=True).count() == 1
    assert page.locator("article:visible output").first.text_content() == "1 of 4 rows"
    page.locator("article:visible select[name=inputs]").select_option("")
    page.locator("article:visible input[name=find]").fill("knn")
    assert rows.filter(visible=True).locator(".open").all_text_contents() == ["knn-composition"]
    page.locator("article:visible input[name=find]").fill("")
    # Details: a parity plot with a point for each sample.
    page.locator("article:visible .open").first.click()
    parity = page.locator("article:visible tr.details:visible svg").first
    assert parity.locator("circle").count() == 21
    assert "Parity plot" in parity.get_attribute("aria-label")
    # Another task, and the literature beside it.
    assert page.locator("article:visible .literature tbody tr").count() == 4
    page.get_by_role("link", name="ecd-fcc/k_vrh", exact=True).first.click()
    assert page.locator("article:visible h2").text_content() == "ecd-fcc/k_vrh"
    assert said == []
    assert [url for url in requests if url.partition("#")[0] != address and not url.startswith("data:")] == []


def test_without_a_script_everything_is_there(browser, opened):
    _, board, _, _, address = opened
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("tr[data-id]").filter(visible=True).count() == sum(len(s.rows) for s in board.sections)
    context.close()
