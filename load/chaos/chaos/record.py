"""What was meant and what came of it, as lines of JSON: all that the checker knows of the clients.

| line | fields |
|---|---|
| `intent` | before anything is sent: `op`, `user`, `kind`, `aim`, `key` |
| `sent` | after each attempt: `op`, `attempt`, `verdict`, `code`, `ms` |
| `verdict` | once: `op`, `verdict`, `code`, `id`, `ms` |
| `left out` | an operation that was not sent: `op`, `why` |
| `read` | `user`, `of`, `complete`, `code`, `stale`, `ms` |

`t` is Unix seconds: of an intent when it was written, of the others when the answer came."""

import json
import time


class Record:
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")
        self.sent, self.reads, self.verdicts = [], [], {}

    def line(self, what, **fields):
        entry = {"what": what, "t": round(time.time(), 4), **fields}
        self.file.write(json.dumps(entry) + "\n")
        self.file.flush()
        return entry

    def attempt(self, **fields):
        self.sent.append(self.line("sent", **fields))

    def read(self, **fields):
        self.reads.append(self.line("read", **fields))

    def verdict(self, op, **fields):
        self.verdicts[op] = self.line("verdict", op=op, **fields)

    def close(self):
        self.file.close()
