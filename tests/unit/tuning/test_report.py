"""The tuner's report: tables, a document, a picture."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.config.files import load
from tests.support.tuning import NAME, SLO_MS, FakeRig, one, trial
from tuning import picture, report, writing
from tuning.choice import choose
from tuning.search import Budget, Search
from tuning.space import Candidate, Settings, Values
from tuning.trial import Trial

CONFIG = load(Path(__file__).parents[3] / "serve_config.yaml")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def search() -> Search:
    rig = FakeRig()
    space = {NAME: Values((1, 4, 16), (0.0, 5.0), ((1, 1),))}
    made = Search(rig, space, Budget(1000.0, rig.clock), 2)
    made.run(one())
    return made


def test_each_setting_is_a_row_the_best_last(
    search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    report.show_trials(list(search.trials.values()), one())
    header, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header[:3] == ["settings", "answers/s", "in SLO/s"]
    assert len(rows) == len(search.trials)
    assert (rows[0][0], rows[0][-1]) == ("batch 1, delay 5 ms, 1 x 1 thread (present)", "too slow")
    assert rows[-1][0].startswith("batch 16")


def test_what_was_measured_in_turns_has_its_spread(capsys: pytest.CaptureFixture[str]) -> None:
    finalist = choose(one_turned(100.0, 120.0), one()).finalists
    report.show_finalists(finalist, one())
    (_, row) = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert row[1:4] == ["110.0", "100.0", "120.0"]


def one_turned(*rates_rps: float) -> Search:
    made = Search(FakeRig(), {}, Budget(1.0), len(rates_rps))
    made.history = [trial(one(), rates_rps[0])]
    made.rounds = [{one(): trial(one(), rate)} for rate in rates_rps]
    return made


def test_settings_of_the_graph_are_told_by_what_differs() -> None:
    settings = Settings(8, 5.0, 1, 2)
    base = Candidate((("asr", settings), ("nmt", settings)))
    assert base.told(base) == "the present settings"
    changed = base.with_("nmt", max_batch_size=16)
    assert changed.told(base) == "nmt: batch 16, delay 5 ms, 1 x 2 threads"


def test_a_setting_that_could_not_be_measured_says_why() -> None:
    refused = Trial(one(64), reason="speaker takes at most 32 rows")
    assert report.line(refused, one(), 60.0, 7.0) == (
        "   7 of 60 s  batch 64, delay 5 ms, 1 x 1 thread: speaker takes at most 32 rows"
    )


def test_the_document_has_every_measurement_and_the_choice(search: Search) -> None:
    choice = choose(search, one())
    changed = writing.changes(CONFIG, one(), choice.chosen)
    started = datetime(2026, 1, 2, tzinfo=UTC)
    document = report.document(search, choice, one(), changed, {"callers": 32}, started)
    document = json.loads(json.dumps(document))
    turns = sum(len(turn) for turn in search.rounds)
    assert len(document["points"]) == len(search.history) + turns
    assert document["outcome"] == "better"
    assert document["changes"]["user_config.batching.speaker.max_batch_size"] == 16
    assert document["chosen"][NAME]["max_batch_size"] == 16
    assert document["points"][0]["figures"]["latency_ms"]["p99"] > SLO_MS


@pytest.mark.parametrize(
    "rates_rps", [(100.0, 200.0), (0.0,)], ids=["measurements", "none in time"]
)
def test_the_picture_is_a_png(tmp_path: Path, rates_rps: tuple[float, ...]) -> None:
    search, path = one_turned(*rates_rps), tmp_path / "tuned.png"
    trials = [*search.history, *(t for turn in search.rounds for t in turn.values())]
    picture.draw(trials, choose(search, one()), one(), SLO_MS, "a title", path)
    assert path.read_bytes().startswith(PNG_SIGNATURE)


def test_what_there_was_no_time_for_is_told(search: Search) -> None:
    search.skipped = {one(64)}
    search.rounds = search.rounds[:1]
    assert report.skipped(search) == (
        "the budget of 1000 s is spent: 1 settings were not tried, 1 of 2 turns were measured"
    )
