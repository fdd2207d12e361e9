"""What is not a file is short."""

from __future__ import annotations

import json
import socket

import pytest
from tests.service.web.serving import head, serving

from deepguard.service.web import bodies

JOBS = "/api/v1/jobs"


def pieces(size: int):
    yield b'{"kind": "'
    yield b"x" * size
    yield b'"}'


def test_a_long_body_is_refused_where_no_file_is_taken(client):
    given = client.post(JOBS, content=json.dumps({"kind": "x" * bodies.LONGEST}))
    assert (given.status_code, given.json()["code"]) == (413, "too_large")


def test_a_body_that_does_not_tell_its_length_is_refused_once_it_is_too_long(client):
    given = client.post(JOBS, content=pieces(bodies.LONGEST), headers={"Content-Type": "application/json"})
    assert (given.status_code, given.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("content", [b"{}", pieces(1000)])
def test_a_body_that_is_short_enough_is_read(client, content):
    given = client.post(JOBS, content=content, headers={"Content-Type": "application/json"})
    assert (given.status_code, given.json()["code"]) == (422, "option")


def test_a_long_body_is_refused_before_it_is_sent_whatever_type_it_tells(app):
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as sender:
        sender.sendall(head(JOBS, 5 << 20))
        said = sender.recv(1 << 16)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in said.lower()
