import json
import shutil
import threading
import urllib.error
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ecdbench.leaderboard.board import make_board
from ecdbench.leaderboard.formats import to_json, to_markdown
from ecdbench.leaderboard.page import make_page
from ecdbench.leaderboard.serve import serve_page
from ecdbench.submissions.entry import accepted_entries
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescoring import rescore

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
    shown = {row.name for section in board.sections for row in section.rows}
    assert shown == {"honest", *FLAGGED, *ALLOWED}
    assert len(board.left_out) == len(REFUSED) + 2  # what two of the linked ones point to
    for section in board.sections:
        for row in section.rows:
            assert (row.rank is None) == (section.protocol == "fixed" and row.name in FLAGGED)
    honest = next(r for s in board.sections for r in s.rows if r.name == "honest" and s.protocol == "fixed")
    expected = rescore(entries / "ecd-fcc--k_vrh" / "honest" / "fixed-official").scores["holdout"]
    assert honest.scores["holdout"] == expected
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
            assert not value or (name == "href" and value.startswith(("#", "data:,", "https://orcid.org/")))
    assert "<script" not in to_markdown(board)
    json.loads(to_json(board))


def test_the_page_shows_what_was_recomputed(board, entries):
    scores = rescore(entries / "ecd-fcc--k_vrh" / "honest" / "fixed-official").scores["holdout"]
    page = make_page(board)
    assert f'data-value="{scores["rmse"].value}"' in page
    assert f"{scores['rmse'].value:.3g} [{scores['rmse'].low:.3g}, {scores['rmse'].high:.3g}]" in page


def test_200_entries_stay_small(tmp_path, honest, k_vrh):
    names = [f"model-{number}" for number in range(100)]
    for name in names:
        copy = tmp_path / "entries" / honest.parent.name / name
        shutil.copytree(honest, copy)
        (copy / "card.yaml").write_text((copy / "card.yaml").read_text().replace("name: honest", f"name: {name}"))
    board = make_board([tmp_path / "entries"])
    assert sum(len(section.rows) for section in board.sections) == 200
    assert len(make_page(board).encode()) < 2_000_000


def test_one_entry_does_not_make_the_page_large(tmp_path, honest):
    shutil.copytree(honest, tmp_path / honest.parent.name / "honest")
    usual = len(make_page(make_board([tmp_path])))
    for result in tmp_path.rglob("result.json"):
        content = json.loads(result.read_text())
        content["fits"][0]["notes"] = [f"{n} " + "word " * 150 for n in range(3_000)]
        content["model"]["parameters"] = {f"parameter_{n}": "long" * 200 for n in range(1_000)}
        result.write_text(json.dumps(content))
    page = make_page(make_board([tmp_path]))
    assert "and 2,990 more in result.json" in page
    assert len(page) < usual + 20_000


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


@pytest.fixture(scope="module")
def real(tmp_path_factory, sfe_dir):
    """The board of the accepted entries, real runs on real data, as a file on disk."""
    board = make_board([accepted_entries()], references=References(sfe_dir))
    assert not board.left_out
    file = tmp_path_factory.mktemp("page") / "board.html"
    file.write_text(make_page(board, sfe_dir))
    return board, file.as_uri()


@pytest.fixture
def opened(browser, real):
    """The page of the real board; what it asked for and complained of."""
    page = browser.new_page()
    said, requests = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(real[1])
    yield page, said, requests
    page.close()


def test_in_a_browser(opened, real, sfe_dir):
    page, said, requests = opened
    board, address = real
    section = next(s for s in board.sections if (s.task, s.protocol) == ("sfe", "fixed"))
    page.get_by_role("link", name="sfe", exact=True).click()
    part = page.locator("article:visible section.board", has_text=section.title).first
    rows = part.locator("tr[data-id]")

    def names():
        return rows.filter(visible=True).locator(".open").all_text_contents()

    def column(number):
        return [row.locator("> *").nth(number).text_content().strip() for row in rows.filter(visible=True).all()]

    # Every row, in order of rank, with the numbers that its predictions give.
    assert page.locator("article:visible h2").text_content() == "sfe"
    assert names() == [row.name for row in section.rows] and len(names()) >= 15
    references = References(sfe_dir)
    for shown, row in zip(column(6), section.rows, strict=True):
        rmse = rescore(row.folder, references).scores["holdout"]["rmse"]
        assert shown == f"{rmse.value:.3g} [{rmse.low:.3g}, {rmse.high:.3g}]"
    # Sorting: by model, then by MAE downwards, with the keyboard.
    part.locator("thead button", has_text="model").click()
    assert names() == sorted(names())
    assert part.locator("th[aria-sort=ascending]").count() == 1
    part.locator("thead button", has_text="MAE").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    values = [float(text) for text in column(8)]
    assert values == sorted(values, reverse=True)
    # Filtering: by what a model looks at, whether it is pretrained, and its name.
    blind = [row.name for row in section.rows if row.inputs == ["formula"]]
    part.locator("select[name=inputs]").select_option("formula")
    assert sorted(names()) == sorted(blind)
    assert part.locator("output").text_content() == f"{len(blind)} of {len(section.rows)} rows"
    part.locator("select[name=inputs]").select_option("")
    part.locator("select[name=pretrained]").select_option("yes")
    assert sorted(names()) == sorted(r.name for r in section.rows if r.is_pretrained)
    part.locator("select[name=pretrained]").select_option("")
    part.locator("input[name=find]").fill("knn")
    assert names() == ["knn-composition"]
    part.locator("input[name=find]").fill("")
    # Details: a parity plot with a point for each sample, learning curves where there are any.
    part.locator(".open", has_text="scratch-cnn").click()
    plots = part.locator("tr.details:visible svg")
    assert plots.count() == 2
    assert plots.nth(0).locator("circle").count() == 21
    assert "Parity plot" in plots.nth(0).get_attribute("aria-label")
    assert "Learning curves" in plots.nth(1).get_attribute("aria-label")
    # Language model and networks on one plot; audit and literature beside the tables.
    assert part.locator(".cost circle").count() == len(section.rows)
    assert part.locator(".cost circle.asked").count() == 1
    assert page.locator("article:visible .literature tbody tr").count() == 23
    assert page.locator("article:visible .audit li").count() >= 4
    page.get_by_role("link", name="How every number was made").click()
    page.locator("article:visible h2", has_text="How every number was made").wait_for()  # the page changes later
    assert page.locator("article:visible h2").count() == 1
    assert said == []
    assert [url for url in requests if url.partition("#")[0] != address and not url.startswith("data:")] == []


def test_without_a_script_everything_is_there(browser, real):
    board, address = real
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("tr[data-id]").filter(visible=True).count() == sum(len(s.rows) for s in board.sections)
    context.close()


def test_the_board_of_a_dataset_of_ones_own(cli, tmp_path):
    folder = tmp_path / "here" / "built" / "my"
    shutil.copytree(Path(str(accepted_entries())).parents[1] / "tasks" / "data" / "ecd-fcc", folder)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"id": "ecd-fcc"', '"id": "my"').replace('"ecd-fcc"', '"my"', 1))
    assert cli("evaluate", "mean", "--task", "built/my/k_vrh", "-q").code == 0
    for arguments in (("--format", "html"), ("--format", "markdown"), ()):
        made = cli("leaderboard", "runs", *arguments)
        assert made.code == 0, made.err
    assert "electron densities of face-centred-cubic crystals" in Path("leaderboard.html").read_text()
