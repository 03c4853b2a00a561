"""client.yaml: what is understood, and that every mistake names file, key, value and what to do."""

from __future__ import annotations

import os

import pytest

import clvnb as cv
from clvnb.data.client import Connection


def test_example_clients_load():
    for name in ("cdnow", "shop", "subscription"):
        client = cv.load_sample(name)
        assert client.slug == name
        assert client.economics.margin_rate <= 1


def test_no_such_folder_names_the_neighbours(tmp_path, make_client):
    make_client(name="acme")
    with pytest.raises(cv.ClientError, match="no such client folder") as error:
        cv.Client.load(tmp_path / "acmee")
    assert "acme" in str(error.value)
    assert "clvnb init" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"currenzy": "EUR"}, "currenzy: unknown key; did you mean 'currency'"),
        ({"currency": "Euro"}, "currency: 'Euro': a currency is its three-letter code"),
        ({"timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        ({"kind": "store"}, "kind: 'store'"),
        (
            {"economics": {"margin": 40}},
            "economics.margin: 40: a rate is a fraction of one: write 0.4 for 40 %",
        ),
        ({"economics": {"margin": -0.2}}, "economics.margin: -0.2"),
        ({"economics": {"discount_rate": 10}}, "write 0.1 for 10 %"),
        ({"economics": {"horizon": "3 yaers"}}, "is not a duration"),
        ({"economics": {"margn": 0.4}}, "economics.margn: unknown key; did you mean 'margin'"),
        (
            {"transactions": {"source": "o.csv", "colums": {}}},
            "transactions.colums: unknown key; did you mean 'columns'",
        ),
        ({"transactions": {"source": "o.csv", "refunds": "keep"}}, "transactions.refunds: 'keep'"),
        ({"locale": "xx_YY"}, "a locale is a language"),
        ({"brand": {"colour": "red"}}, "a colour is written as #rrggbb"),
        ({"billing": {190: 12}}, "billing"),
        ({"as_of": "soon"}, "as_of: 'soon'"),
    ],
)
def test_mistakes_name_key_value_and_what_to_do(make_client, settings, says):
    folder = make_client(**settings)
    with pytest.raises(cv.ClientError) as error:
        cv.Client.load(folder)
    assert says in str(error.value)
    assert "client.yaml" in str(error.value)


def test_a_folder_that_papermill_took_for_a_number_is_explained():
    with pytest.raises(cv.ClientError, match="202401, which is no text.*write -r client FOLDER"):
        cv.Client.load(202401)


def test_broken_yaml(tmp_path):
    (tmp_path / "client.yaml").write_text("name: [\n")
    with pytest.raises(cv.ClientError, match="not readable as YAML"):
        cv.Client.load(tmp_path)
    (tmp_path / "client.yaml").write_text("just text")
    with pytest.raises(cv.ClientError, match="key: value"):
        cv.Client.load(tmp_path)
    (tmp_path / "client.yaml").write_text("1: 2\n")
    with pytest.raises(cv.ClientError, match="every key must be text"):
        cv.Client.load(tmp_path)


def test_secrets_come_from_the_environment(monkeypatch):
    source = Connection(connection="postgres://reader:${CLVNB_TEST_PASSWORD}@localhost/shop", table="orders")
    monkeypatch.setitem(os.environ, "CLVNB_TEST_PASSWORD", "s3cret")
    assert "s3cret" in source.url()
    monkeypatch.delitem(os.environ, "CLVNB_TEST_PASSWORD")
    with pytest.raises(cv.ClientError, match="CLVNB_TEST_PASSWORD, which is not set"):
        source.url()


def test_slug_is_safe(tmp_path):
    for name in ("a b", "x;rm -rf", "Ünï", "..."):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "client.yaml").write_text("name: x\ncurrency: EUR\ntransactions: {source: o.csv}\n")
        slug = cv.Client.load(folder).slug
        assert slug
        assert not set(slug) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
