"""plaza as a client sees it, at one of its servers."""

import base64
import json
import time
import urllib.error
import urllib.request

HOME = """query($after: String) { viewer { home(first: 100, after: $after) {
  edges { node { id } } pageInfo { hasNextPage endCursor } } } }"""
POSTS = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Post { id likeCount commentCount } } }"
USERS = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on User { id bio followerCount } } }"
HOME_POSTS = 200


def number_of(global_id):
    padded = global_id + "=" * (-len(global_id) % 4)
    return int(base64.urlsafe_b64decode(padded).decode().rpartition(":")[2])


def global_id(noun, number):
    return base64.urlsafe_b64encode(f"{noun}:{number}".encode()).decode().rstrip("=")


class Server:
    def __init__(self, port, token):
        self.url, self.token = f"http://127.0.0.1:{port}/graphql", token

    def ask(self, query, variables):
        """Once more when it is not answered whole: what is asked here is read, not found out."""
        for attempt in range(5):
            body = json.dumps({"query": query, "variables": variables}).encode()
            request = urllib.request.Request(self.url, body)
            request.add_header("content-type", "application/json")
            request.add_header("authorization", f"Bearer {self.token}")
            try:
                with urllib.request.urlopen(request, timeout=15) as answer:
                    content = json.load(answer)
                if not content.get("errors"):
                    return content["data"]
                error = content["errors"]
            except (urllib.error.URLError, OSError) as failure:
                error = failure
            time.sleep(0.5 * (attempt + 1))
        raise RuntimeError(f"{self.url}: {error}")

    def home(self):
        """The newest posts of the viewer's home, in its order."""
        posts, after = [], None
        while len(posts) < HOME_POSTS:
            home = self.ask(HOME, {"after": after})["viewer"]["home"]
            posts += [number_of(edge["node"]["id"]) for edge in home["edges"]]
            if not home["pageInfo"]["hasNextPage"]:
                break
            after = home["pageInfo"]["endCursor"]
        return posts[:HOME_POSTS]

    def nodes(self, query, noun, numbers):
        found = {}
        for start in range(0, len(numbers), 50):
            ids = [global_id(noun, number) for number in numbers[start:start + 50]]
            for node in self.ask(query, {"ids": ids})["nodes"]:
                if node:
                    found[number_of(node["id"])] = node
        return found
