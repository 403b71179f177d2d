"""The administration over REST: closed to others, states, exclusions, results, exports, uploads."""

import base64
import csv
import io
import json
import zipfile
from pathlib import Path

import httpx
import itsdangerous
import pytest
from sqlalchemy import select

from app.admin_access import AdminAccess
from app.db.study_models import Audit, Rater, Study
from app.errors import UserError
from tests.admin.conftest import PASSWORD, Office
from tests.studies.makers import study as plan
from tests.studies.makers import write_folder
from tests.studies.making import SYSTEMS

ROUTES = [
    ("GET", "studies"),
    ("POST", "studies"),
    ("GET", "studies/mos-test"),
    ("POST", "studies/mos-test/state"),
    ("POST", "studies/mos-test/duplicate"),
    ("GET", "studies/mos-test/export"),
    ("POST", "raters/x/excluded"),
    ("GET", "backup"),
]
BODY = {"action": "open", "slug": "x", "excluded": True, "reason": "x"}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_the_token_of_an_administrator(
    office: Office, visitor: httpx.Client, method: str, path: str
) -> None:
    for token in ("", "Bearer", "Bearer x.y", "Basic " + base64.b64encode(b"a:b").decode()):
        answer = visitor.request(method, f"/api/v1/admin/{path}", headers={"Authorization": token})
        assert answer.status_code in (400, 401), token
        assert "mos-test" not in answer.text.replace(path, "")
        if method == "GET":
            assert answer.json()["error"]["code"] == "sign_in"


def test_a_participant_is_no_administrator(voted, visitor: httpx.Client) -> None:
    token = voted["mos"][0].token
    answer = visitor.get("/api/v1/admin/studies", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_signing_in(office: Office, visitor: httpx.Client) -> None:
    assert visitor.get("/api/v1/admin/ways").json() == {"password": True, "hugging_face": True}
    for wrong in ({"password": "no"}, {"password": PASSWORD + " "}):
        assert visitor.post("/api/v1/admin/sign-in", json=wrong).status_code == 401
    assert visitor.post("/api/v1/admin/sign-in", json={"password": ""}).status_code == 403
    assert visitor.post("/api/v1/admin/sign-in", json={"password": ["x"]}).status_code == 400
    assert visitor.post("/api/v1/admin/sign-in", json={"password": PASSWORD}).status_code == 200
    for _ in range(10):
        visitor.post("/api/v1/admin/sign-in", json={"password": "guess"})
    told = visitor.post("/api/v1/admin/sign-in", json={"password": PASSWORD})
    assert told.status_code == 429 and "wait" in told.json()["error"]["message"]


def signed(name: str, key: str = "of the session") -> dict[str, str]:
    """The cookie that the Hub's sign-in leaves behind."""
    content = base64.b64encode(json.dumps({"oauth_info": {"userinfo": {"preferred_username": name}}}).encode())
    return {"Cookie": "session=" + itsdangerous.TimestampSigner(key).sign(content).decode()}


def test_the_owner_of_a_space_signs_in_with_the_hub(office: Office, visitor: httpx.Client) -> None:
    def enter(headers: dict[str, str]) -> httpx.Response:
        return visitor.post("/api/v1/admin/sign-in", json={}, headers=headers)

    token = enter(signed("owner")).json()["token"]
    assert visitor.get("/api/v1/admin/studies", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert enter(signed("somebody")).status_code == 403
    assert enter(signed("owner", key="forged")).status_code == 403


def test_it_is_closed_without_a_way_in() -> None:
    access = AdminAccess("", "secret")
    for attempt in ("", "x", None):
        with pytest.raises(UserError, match="closed") as told:
            access.enter(attempt, "owner")
        assert told.value.status == 403


def test_a_new_password_ends_older_tokens(admin: httpx.Client) -> None:
    from starlette.requests import Request

    sent = [(b"authorization", admin.headers["Authorization"].encode())]
    request = Request({"type": "http", "headers": sent})
    assert AdminAccess(PASSWORD, "a secret").who(request) == "administrator"
    for other in (AdminAccess("another", "a secret"), AdminAccess(PASSWORD, "another secret")):
        with pytest.raises(UserError, match="sign in"):
            other.who(request)


def test_progress_results_and_sessions(voted, admin: httpx.Client) -> None:
    listed = {one["slug"]: one for one in admin.get("studies").json()["data"]}
    assert listed["mos-test"]["sessions"] == {"finished": 2} and listed["mos-test"]["votes"] > 0
    mos = admin.get("studies/mos-test").json()
    assert {row["name"] for row in mos["progress"]} == set(SYSTEMS)
    assert sum(row["ratings"] for row in mos["progress"]) == 4  # two main items of two raters
    (result,) = mos["results"]
    assert all(row["mean"] == row["median"] == 4 for row in result["rows"])
    assert sum(row["ratings"] for row in result["rows"]) == 4
    assert [one["answered"] == one["of"] > 0 for one in mos["sessions"]] == [True, True]
    assert {one["panel_id"] for one in mos["sessions"]} == {"=1+1", "<b>bold</b>"}
    pairs = admin.get("studies/pairwise-test").json()
    (result,) = pairs["results"]
    rows = result["rows"]
    assert sum(row["wins"] for row in rows) == sum(row["losses"] for row in rows) == 4
    assert sum(row["share"] * row["ratings"] for row in rows) == pytest.approx(4)
    mushra = admin.get("studies/mushra-test").json()
    assert len(mushra["results"][0]["rows"]) == len(SYSTEMS) + 2
    assert all("trap_failed" not in one["flags"] or one["flags"] for one in mushra["sessions"])


def test_the_interval_counts_people_and_not_votes() -> None:
    from app.db.answers import Answer
    from app.studies.administration import _scores

    def answer(rater: str, score: float) -> Answer:
        return Answer(
            "opinion_scores", 1, "s", rater, False, "t", 0, "main", "i", "q", "x", "system", None, None, score, None
        )

    few = [answer("1", 2.0), answer("2", 4.0)]
    (row,) = _scores(few)
    # the standard error of two means that are 2 apart is 1
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((3.0, 3 - 1.959964, 3 + 1.959964))
    assert _scores(few * 50)[0]["high"] == pytest.approx(row["high"])
    assert _scores(few[:1])[0]["low"] is None


def test_an_exclusion_has_a_reason_a_trail_and_a_way_back(voted, office: Office, admin: httpx.Client) -> None:
    sitting = admin.get("studies/mos-test").json()["sessions"][0]
    path = f"raters/{sitting['rater']}/excluded"
    for reason in ("", "   ", "x" * 1001):
        assert admin.post(path, json={"excluded": True, "reason": reason}).status_code == 400
    assert admin.post("raters/nobody/excluded", json={"excluded": True, "reason": "x"}).status_code == 404
    assert admin.post(path, json={"excluded": False, "reason": "x"}).status_code == 409
    assert admin.post(path, json={"excluded": True, "reason": "=did not listen"}).status_code == 200
    assert admin.post(path, json={"excluded": True, "reason": "again"}).status_code == 409
    after = admin.get("studies/mos-test").json()
    assert sum(row["ratings"] for row in after["progress"]) == 2
    excluded = next(one for one in after["sessions"] if one["rater"] == sitting["rater"])
    assert excluded["excluded_reason"] == "=did not listen" and excluded["answered"] == sitting["answered"]
    with office.database.read() as session:
        assert session.get_one(Rater, sitting["rater"]).excluded_at
    assert admin.post(path, json={"excluded": False, "reason": "a mistake"}).status_code == 200
    restored = admin.get("studies/mos-test").json()
    assert sum(row["ratings"] for row in restored["progress"]) == 4
    assert [one["action"] for one in restored["audit"]] == ["include", "exclude"]
    assert {one["actor"] for one in restored["audit"]} == {"administrator"}


def test_states_and_copies(voted, office: Office, admin: httpx.Client, visitor: httpx.Client) -> None:
    def state(action: str) -> int:
        return admin.post("studies/mos-test/state", json={"action": action, "reason": "because"}).status_code

    assert state("pause") == 200
    assert "mos-test" not in visitor.get("/api/v1/studies").text
    assert state("close") == 200 and state("pause") == 409 and state("open") == 200
    assert admin.post("studies/mos-test/state", json={"action": "explode"}).status_code == 400
    assert admin.post("studies/none/state", json={"action": "open"}).status_code == 404
    assert admin.post("studies/mos-test/duplicate", json={"slug": "mos-again"}).status_code == 201
    assert admin.post("studies/mos-test/duplicate", json={"slug": "mos-again"}).status_code == 409
    assert admin.post("studies/mos-test/duplicate", json={"slug": "../up"}).status_code == 422
    with office.database.read() as session:
        assert session.scalar(select(Study.state).where(Study.slug == "mos-again")) == "draft"
        assert {"paused", "closed", "open", "duplicate"} <= set(session.scalars(select(Audit.action)))


@pytest.mark.parametrize("format", ["csv", "parquet", "json", "all"])
def test_an_export_is_a_zip_of_the_files(voted, admin: httpx.Client, format: str) -> None:
    answer = admin.get("studies/mos-test/export", params={"format": format})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        names = set(packed.namelist())
        assert "mos-test/codebook.json" in names
        assert "mos-test/opinion_scores.csv" in names or format in ("parquet", "json")
        if format == "csv":
            people = list(csv.DictReader(packed.read("mos-test/raters.csv").decode().splitlines()))
            assert {one["panel_id"] for one in people} == {"'=1+1", "<b>bold</b>"}
    assert admin.get("studies/mos-test/export", params={"format": "xls"}).status_code == 400
    assert admin.get("studies/none/export").status_code == 404
    hidden = admin.get("studies/mos-test/export", params={"format": "csv", "anonymous": "true"})
    with zipfile.ZipFile(io.BytesIO(hidden.content)) as packed:
        assert b"bold" not in b"".join(packed.read(name) for name in packed.namelist())


def test_a_backup_can_be_downloaded(voted, admin: httpx.Client) -> None:
    with zipfile.ZipFile(io.BytesIO(admin.get("backup").content)) as packed:
        assert "calm.sqlite3" in packed.namelist() and packed.testzip() is None


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for path in folder.rglob("*"):
            packed.write(path, path.relative_to(folder))
    return buffer.getvalue()


def test_a_study_is_uploaded(office: Office, admin: httpx.Client, visitor: httpx.Client, tmp_path: Path) -> None:
    content = zipped(write_folder(tmp_path / "study", plan()))
    made = admin.post("studies", content=content)
    assert made.status_code == 201, made.text
    slug = made.json()["slug"]
    assert admin.get(f"studies/{slug}").json()["state"] == "draft"
    assert admin.post("studies", content=content).json()["is_new"] is False
    changed = zipped(write_folder(tmp_path / "study", plan(items_per_session=1)))
    assert admin.post("studies", content=changed).status_code == 409
    assert admin.post("studies", content=changed, params={"new_version": True}).json()["version"] == 2
    for bad, status in ((b"", 422), (b"no zip", 422), (b"x" * 5_100_000, 413)):
        told = admin.post("studies", content=bad)
        assert told.status_code == status and told.json()["error"]["message"], bad[:10]
    assert visitor.post("/api/v1/admin/studies", content=content).status_code == 401


def test_the_schema_shows_nothing_of_the_administration(office: Office, visitor: httpx.Client) -> None:
    assert "admin" not in visitor.get("/api/openapi.json").text
