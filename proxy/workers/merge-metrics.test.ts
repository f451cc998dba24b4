import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeMetrics } from "./merge-metrics.ts";

const REQUESTS = "# HELP requests_total requests\n# TYPE requests_total counter\n";
const OPEN = "# HELP open open connections\n# TYPE open gauge\n";

test("a series is the sum of those of all workers, and one of a single worker is its own", () => {
  const one = `${REQUESTS}requests_total{code="200"} 3\nrequests_total{code="404"} 1\n`;
  const other = `${REQUESTS}requests_total{code="200"} 4\nrequests_total{path="a } 7 b"} 0.5\n`;
  assert.equal(
    mergeMetrics([one, other]),
    `${REQUESTS}requests_total{code="200"} 7\nrequests_total{code="404"} 1\nrequests_total{path="a } 7 b"} 0.5\n\n`,
  );
});

test("buckets, sums and counts of a histogram are summed up as well", () => {
  const type = "# TYPE ms histogram\n";
  const one = `${type}ms_bucket{le="1"} 1\nms_bucket{le="+Inf"} 2\nms_sum 5\nms_count 2\n`;
  const sum = `${type}ms_bucket{le="1"} 2\nms_bucket{le="+Inf"} 4\nms_sum 10\nms_count 4\n\n`;
  assert.equal(mergeMetrics([one, one]), sum);
});

test("what is true of the process is not summed up", () => {
  const uptime = (seconds: number): string =>
    `# TYPE envoy_server_uptime gauge\nenvoy_server_uptime ${seconds}\n`;
  assert.equal(mergeMetrics([uptime(3), uptime(4)]), `${uptime(4)}\n`);
});

test("the counters of a worker that is gone stay, its gauges go", () => {
  const text = `${REQUESTS}requests_total 3\n${OPEN}open 2\n`;
  assert.equal(mergeMetrics([text], [text]), `${REQUESTS}requests_total 6\n\n${OPEN}open 2\n\n`);
  const gone = mergeMetrics([], [mergeMetrics([], ["", text]), text]);
  assert.equal(gone, `${REQUESTS}requests_total 6\n\n`, "they can be kept as one text");
});
