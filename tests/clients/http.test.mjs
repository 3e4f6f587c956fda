// GraphQL over HTTP, as the specification's own audits see it: each audit is a test. PLAZA_URL names the endpoint.
import test from 'node:test';
import assert from 'node:assert/strict';
import { serverAudits } from 'graphql-http';

const url = process.env.PLAZA_URL;
assert.ok(url, 'PLAZA_URL is not set');

// GET needs a header that no page of another origin can send unasked.
const fetchFn = (input, init = {}) => fetch(input, { ...init, headers: { 'graphql-require-preflight': '1', ...init.headers } });

for (const audit of serverAudits({ url, fetchFn })) {
  test(audit.name, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
