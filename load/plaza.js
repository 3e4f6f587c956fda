// What the scenarios share: settings from the environment, logging in, one GraphQL request, figures by operation, the summary.
//
// PLAZA_URL  where GraphQL is served      RATE      requests a second, whatever the answers do (open loop)
// ADMIN      the servers' admin addresses SECONDS   measured, after a warm-up of a quarter of that
// PEOPLE     people logged in             QUICK=1   ten seconds at a fifth of the rate
// RESULTS    the folder for the figures   PASSWORD  of seeded people
import http from 'k6/http';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';

export const quick = __ENV.QUICK === '1';
export const url = __ENV.PLAZA_URL || 'http://127.0.0.1:4000/graphql';
const admin = (__ENV.ADMIN || '127.0.0.1:4201,127.0.0.1:4202').split(',');
const results = __ENV.RESULTS || 'bench-results';
const password = __ENV.PASSWORD || 'plaza-demo-1';

const trends = {};
const failures = {};
let shown = 0;

// Names of operations -> p95 in milliseconds that is the target. Must be called in the init context.
export function operations(targets) {
  for (const name of Object.keys(targets)) {
    trends[name] = new Trend(`plaza_${name}`, true);
    failures[name] = new Counter(`plaza_${name}_failed`);
  }
}

// k6's options: a warm-up, then the measured part; both start requests at the rate, without waiting for answers.
export function options(targets, rate, seconds, more) {
  const perSecond = Number(__ENV.RATE || (quick ? Math.max(1, Math.round(rate / 5)) : rate));
  const length = Number(__ENV.SECONDS || (quick ? 10 : seconds));
  const warm = Math.max(2, Math.round(length / 4));
  const arrivals = {
    executor: 'constant-arrival-rate',
    rate: perSecond,
    timeUnit: '1s',
    // Enough for ten seconds of answers that do not come: the client's own deadline.
    preAllocatedVUs: Math.min(perSecond * 2 + 10, 500),
    maxVUs: perSecond * 10 + 10,
    gracefulStop: '12s',
  };
  const thresholds = { dropped_iterations: ['count<1'], ...more };
  for (const [name, target] of Object.entries(targets)) {
    thresholds[`plaza_${name}`] = [`p(95)<${target}`];
    thresholds[`plaza_${name}_failed`] = ['count<1'];
  }
  return {
    scenarios: {
      warm: { ...arrivals, duration: `${warm}s`, exec: 'warm' },
      measured: { ...arrivals, duration: `${length}s`, startTime: `${warm + 1}s` },
    },
    thresholds,
    summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'max'],
    setupTimeout: '300s',
    teardownTimeout: '180s',
    noConnectionReuse: false,
    discardResponseBodies: false,
  };
}

// Sends one request. Figures are kept when `operation` is given: the time from its start to the last byte.
export function send(token, query, variables, operation) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const name = operation || 'other';
  const answer = http.post(url, JSON.stringify({ query, variables }), { headers, timeout: '10s', tags: { name, operation: name } });
  let data = null;
  try {
    const body = answer.json();
    if (!body.errors) data = body.data;
  } catch (_) {
    // No JSON: it failed, as below.
  }
  if (operation) {
    if (data) trends[operation].add(answer.timings.duration);
    failures[operation].add(data ? 0 : 1);
  }
  if (!data && shown < 2) {
    shown += 1;
    console.error(`${name}: HTTP ${answer.status} ${answer.error || String(answer.body).slice(0, 300)}`);
  }
  return data;
}

// Marks an answer that came but says that the business failed.
export function count_failure(operation) {
  if (operation) failures[operation].add(1);
}

export function handle(number) {
  return number === 0 ? 'alice' : `u${String(number).padStart(6, '0')}`;
}

// Logs seeded people in, once, four at a time: passwords are slow to hash on purpose.
export function log_in(count) {
  const query = 'mutation($handle: String!, $password: String!) { logIn(input: {handle: $handle, password: $password}) { accessToken userErrors { message } } }';
  const wanted = Number(__ENV.PEOPLE || (quick ? Math.min(count, 20) : count));
  const people = [];
  for (let first = 0; first < wanted; first += 4) {
    const some = [];
    for (let number = first; number < Math.min(first + 4, wanted); number += 1) some.push(handle(number));
    const requests = some.map((name) => ({
      method: 'POST',
      url,
      body: JSON.stringify({ query, variables: { handle: name, password } }),
      params: { headers: { 'Content-Type': 'application/json' }, tags: { name: 'logIn', operation: 'logIn' } },
    }));
    http.batch(requests).forEach((answer, index) => {
      const token = answer.status === 200 && answer.json('data.logIn.accessToken');
      if (!token) exec.test.abort(`${some[index]} cannot log in at ${url} (HTTP ${answer.status}): is plaza up and seeded? ${String(answer.body || answer.error).slice(0, 200)}`);
      people.push({ handle: some[index], token });
    });
  }
  return people;
}

// Every metric of every server that answers, added up: name with labels -> value.
export function server_metrics() {
  const sums = {};
  for (const address of admin) {
    const answer = http.get(`http://${address}/metrics`, { tags: { name: 'metrics', operation: 'metrics' } });
    if (answer.status !== 200) continue;
    for (const line of answer.body.split('\n')) {
      const at = line.lastIndexOf(' ');
      if (at > 0 && line[0] !== '#') sums[line.slice(0, at)] = (sums[line.slice(0, at)] || 0) + Number(line.slice(at + 1));
    }
  }
  return sums;
}

export function one_of(list) {
  return list[Math.floor(Math.random() * list.length)];
}

// A table on the terminal, the figures as JSON.
export function summary(name, targets, data) {
  const figures = {};
  const rows = [['operation', 'requests', 'failed', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms', 'target p95']];
  const round = (value) => Math.round((value || 0) * 100) / 100;
  for (const [operation, target] of Object.entries(targets)) {
    const values = (data.metrics[`plaza_${operation}`] || { values: {} }).values;
    const failed = ((data.metrics[`plaza_${operation}_failed`] || { values: {} }).values.count) || 0;
    const figure = {
      requests: (values.count || 0) + failed, failed, p50_ms: round(values.med), p95_ms: round(values['p(95)']),
      p99_ms: round(values['p(99)']), max_ms: round(values.max), target_p95_ms: target,
    };
    figures[operation] = figure;
    rows.push([operation, figure.requests, figure.failed, figure.p50_ms, figure.p95_ms, figure.p99_ms, figure.max_ms, `< ${target}`].map(String));
  }
  const thresholds = {};
  for (const [metric, found] of Object.entries(data.metrics)) {
    for (const [expression, verdict] of Object.entries(found.thresholds || {})) thresholds[`${metric}: ${expression}`] = verdict.ok;
  }
  const missed = Object.keys(thresholds).filter((threshold) => !thresholds[threshold]);
  const dropped = ((data.metrics.dropped_iterations || { values: {} }).values.count) || 0;
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const table = rows.map((row) => row.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join('  ')).join('\n');
  // Nothing asked is nothing met: k6 passes thresholds of what it has never seen.
  const unasked = Object.keys(figures).filter((operation) => !figures[operation].requests);
  const verdict = missed.length ? `missed: ${missed.join('; ')}` : unasked.length ? `not measured: ${unasked.join(', ')}` : 'every target met';
  const report = { name, date: new Date().toISOString(), quick, url, seconds: Math.round(data.state.testRunDurationMs / 1000), operations: figures, not_started: dropped, not_measured: unasked, thresholds };
  return {
    stdout: `\n${name}\n${table}\nnot started in time: ${dropped}\n${verdict}\n`,
    [`${results}/k6-${name}.json`]: `${JSON.stringify(report, null, 2)}\n`,
  };
}
