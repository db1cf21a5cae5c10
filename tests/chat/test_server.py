"""The endpoint: read only, small, at a rate, and of the user of the token alone."""

import json
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from pipeline.chat import tokens
from pipeline.chat.limits import Limits
from pipeline.chat.opening import Chat
from pipeline.chat.server import MOST_BYTES, application
from pipeline.chat.talks import Talks
from pipeline.privacy.keys import Secret, user_key
from tests.small_shop import ANN, BOB, CANARY

SECRET = bytes(range(32))
ORDER = {"turns": ["what was in my last order"]}


@pytest.fixture
def client(night, publish):
    publish()
    return TestClient(application(Chat(night), SECRET, Limits(60, burst=50)))


def bearer(client, user):
    return {"Authorization": f"Bearer {tokens.issue(SECRET, user, client.get('/health').json()['snapshot'])}"}


def test_an_answer_comes_with_its_sources(client):
    told = client.post("/ask", json={"turns": ["how much is 10001"]}).json()
    assert told["answer"] == "“Tomato paste, private brand, 6 oz” costs 0.39 USD."
    price = {"table": "item_facts", "key": "10001", "column": "price_cents", "value": "0.39 USD"}
    assert price in told["sentences"][0]["facts"]
    assert (told["asked"], told["abstained"], told["handover"]) == ("price", False, None)


def test_users_see_their_own_and_guests_nothing_of_anybody(client):
    assert "900001" in client.post("/ask", json=ORDER, headers=bearer(client, ANN)).json()["answer"]
    assert CANARY in client.post("/ask", json=ORDER, headers=bearer(client, BOB)).json()["answer"]
    assert client.post("/ask", json=ORDER).json()["abstained"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", f"Bearer {BOB}", f"Basic {BOB}", f"Bearer {BOB}.2017-11-30-aaaaaaaaaaaa.00"]
)
def test_a_token_that_is_none_gets_no_answer(client, header):
    found = client.post("/ask", json=ORDER, headers={"Authorization": header})
    assert found.status_code == 401
    assert CANARY not in found.text


def test_a_token_ends_with_its_snapshot(client, publish):
    old = bearer(client, ANN)
    publish("2017-12-01")
    assert client.post("/ask", json=ORDER, headers=old).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"turns": []}, {"turns": [""]}, {"turns": ["x" * 501]}, {"turns": ["hi"] * 13}, {"turns": "hi"},
     {"turns": ["hi"], "user_key": BOB}, {"turns": [1]}],
)  # fmt: skip
def test_what_is_not_a_question_is_refused(client, body):
    assert client.post("/ask", json=body).status_code == 422


def test_bodies_are_small(client):
    assert client.post("/ask", content=b"x" * (MOST_BYTES + 1)).status_code == 413
    assert client.post("/ask", content=iter([b"x"]), headers={"Transfer-Encoding": "chunked"}).status_code == 413


def test_callers_are_held_to_a_rate(night, publish):
    publish()
    client = TestClient(application(Chat(night), SECRET, Limits(1, burst=2)))
    codes = [client.post("/ask", json=ORDER).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert client.post("/ask", json=ORDER, headers=bearer(client, ANN)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/", "/tables/user_orders"])
def test_there_is_nothing_else(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["put", "delete", "patch", "get"])
def test_nothing_can_be_written(client, method):
    assert getattr(client, method)("/ask").status_code in (405, 413)


def test_no_browser_renders_an_answer(client):
    found = client.get("/health")
    assert found.headers["content-type"] == "application/json"
    assert (found.headers["x-content-type-options"], found.headers["cache-control"]) == ("nosniff", "no-store")


def test_thumbs_are_taken_only_where_talks_are_kept(client, night, tmp_path):
    thumb = ORDER | {"resolved": True}
    assert client.post("/thumb", json=thumb).status_code == 404
    talks = Talks(tmp_path / "drops", night.shop, Secret(SECRET), lambda: datetime(2017, 11, 30, 17, tzinfo=UTC))
    keeping = TestClient(application(Chat(night), SECRET, Limits(60, burst=4), talks))
    assert keeping.post("/ask", json=ORDER, headers=bearer(client, ANN)).status_code == 200
    assert not (tmp_path / "drops").exists()
    assert keeping.post("/thumb", json=thumb, headers=bearer(client, ANN)).status_code == 204
    (path,) = (tmp_path / "drops" / "dialogues" / "ds=2017-11-30").iterdir()
    row = json.loads(path.read_text(encoding="utf-8"))
    assert (row["utterance"], row["is_resolved"], row["intent"]) == (*ORDER["turns"], True, "last_order")
    assert user_key(SECRET, row["user_id"]) == ANN
    for bad, code in ((ORDER, 422), (thumb | {"user_id": "x"}, 422), (thumb | {"resolved": "?"}, 422)):
        assert keeping.post("/thumb", json=bad).status_code == code
    assert keeping.post("/thumb", json=thumb, headers={"Authorization": "Bearer x"}).status_code == 401
    assert [keeping.post("/thumb", json=thumb).status_code for _ in range(5)][-1] == 429
