#!/usr/bin/env python3
"""Mutations of a drill, and what became of each: see infra/local/drill-restore.

traffic.py URL LOG PEOPLE SECONDS: signs up so many people (once: they are kept beside the log), then lets each post, comment, like, follow and
order until so many seconds are over. A line of JSON a mutation: its kind, what it made, when it was sent and answered (Unix seconds), and whether
it was acknowledged.
"""
import base64
import http.client
import json
import random
import sys
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlparse

URL, LOG, PEOPLE, SECONDS = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
ADDRESS = urlparse(URL)
LOCK = threading.Lock()
POSTS, PRODUCTS = [], []


def number(global_id):
    return int(base64.urlsafe_b64decode(global_id + "==").decode().split(":")[1])


class Person:
    """One client: a connection, a session."""

    def __init__(self, row=None):
        self.connection = http.client.HTTPConnection(ADDRESS.hostname, ADDRESS.port, timeout=10)
        self.row = row or {}

    def send(self, query, variables, key):
        headers = {"content-type": "application/json", "idempotency-key": key}
        if "token" in self.row:
            headers["authorization"] = "Bearer " + self.row["token"]
        body = json.dumps({"query": query, "variables": {"input": variables}})
        try:
            self.connection.request("POST", ADDRESS.path, body, headers)
            return json.loads(self.connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            self.connection.close()
            raise

    def mutate(self, out, kind, field, selection, variables):
        key = str(uuid.uuid4())
        query = "mutation($input: %s!) { %s(input: $input) { %s userErrors { code } } }" % (
            field[0].upper() + field[1:] + "Input", field, selection)
        began, answer = time.time(), None
        try:
            answer = self.send(query, variables, key)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        payload = ((answer or {}).get("data") or {}).get(field) or {}
        done = bool(payload) and not payload["userErrors"]
        line = {"kind": kind, "by": self.row.get("id"), "began": began, "ended": time.time(), "acknowledged": done}
        return done, payload, line

    def sign_up(self, out):
        handle = "drill" + uuid.uuid4().hex[:12]
        done, payload, line = self.mutate(out, "signUp", "signUp", "accessToken viewer { user { id } }", {
            "handle": handle, "email": handle + "@example.org", "displayName": handle, "password": "correct horse " + handle})
        if not done:
            sys.exit("sign-up failed: %s" % payload)
        user = payload["viewer"]["user"]["id"]
        self.row = {"token": payload["accessToken"], "global": user, "id": number(user)}
        note(out, dict(line, by=self.row["id"], made=self.row["id"]))


def note(out, line):
    with LOCK:
        out.write(json.dumps(line) + "\n")
        out.flush()


def act(person, people, out):
    kind = random.choices(["post", "comment", "like", "follow", "order", "product"], [30, 15, 25, 15, 10, 5])[0]
    if kind == "post" or (kind in ("comment", "like") and not POSTS):
        done, payload, line = person.mutate(out, "post", "postCreate", "post { id }", {"text": "drill " + uuid.uuid4().hex})
        if done:
            POSTS.append(payload["post"]["id"])
            line["made"] = number(payload["post"]["id"])
    elif kind == "comment":
        done, payload, line = person.mutate(out, kind, "commentCreate", "comment { id }", {
            "postId": random.choice(POSTS), "text": "drill " + uuid.uuid4().hex})
        if done:
            line["made"] = number(payload["comment"]["id"])
    elif kind == "like":
        post = random.choice(POSTS)
        _, _, line = person.mutate(out, kind, "postLike", "", {"postId": post})
        line["made"] = number(post)
    elif kind == "follow":
        other = random.choice(people)
        if other is person:
            return
        _, _, line = person.mutate(out, kind, "userFollow", "", {"userId": other.row["global"]})
        line["made"] = other.row["id"]
    elif kind == "product" or not PRODUCTS:
        done, payload, line = person.mutate(out, "product", "productCreate", "product { id }", {
            "title": "drill", "description": "drill", "price": {"amount": "100", "currency": "EUR"}, "stock": 1000})
        if done:
            PRODUCTS.append(payload["product"]["id"])
            line["made"] = number(payload["product"]["id"])
    else:
        done, payload, line = person.mutate(out, kind, "orderPlace", "order { id }", {
            "lines": [{"productId": random.choice(PRODUCTS), "quantity": 1}]})
        if done:
            line["made"] = number(payload["order"]["id"])
    note(out, line)


def main():
    kept = LOG.with_suffix(".people")
    with LOG.open("a") as out:
        if kept.exists():
            people = [Person(row) for row in json.loads(kept.read_text())]
        else:
            people = [Person() for _ in range(PEOPLE)]
            for person in people:
                person.sign_up(out)
            kept.write_text(json.dumps([person.row for person in people]))
        until = time.time() + SECONDS

        def work(person):
            while time.time() < until:
                act(person, people, out)

        threads = [threading.Thread(target=work, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


main()
