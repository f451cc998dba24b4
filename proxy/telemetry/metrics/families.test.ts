import assert from "node:assert/strict";
import { test } from "node:test";
import { labelText, type MetricFamily, mergeFamilies, renderFamilies } from "./families.ts";
import { Histogram } from "./histogram.ts";
import { Tally } from "./tally.ts";

test("families of workers, sent as JSON, add up by their labels", () => {
  const worker = (calls: number, values: readonly number[]): readonly MetricFamily[] => {
    const tally = new Tally({ name: "calls_total", help: "calls", labelNames: ["to", "how"] });
    for (let left = calls; left > 0; left--) tally.add("a", "in");
    if (calls > 1) tally.add("b", "in");
    const histogram = new Histogram();
    for (const value of values) histogram.add(value);
    const sizes: MetricFamily = {
      name: "size",
      help: "sizes",
      type: "histogram",
      bounds: [0.5, 1],
      samples: [histogram.sample('to="a"')],
    };
    return JSON.parse(JSON.stringify([tally.family(), sizes])) as MetricFamily[];
  };
  const [calls, size] = mergeFamilies([worker(2, [0.2, 0.7]), worker(1, [0.7, 9])]);
  assert.deepEqual(calls?.samples, [
    { labels: 'to="a",how="in"', value: 3 },
    { labels: 'to="b",how="in"', value: 1 },
  ]);
  assert.ok(size?.type === "histogram");
  assert.deepEqual(size.samples[0]?.counts.slice(0, 4), [1, 2, 0, 1]);
  assert.equal(size.samples[0]?.sum.toFixed(1), "10.6");
});

test("text is what Prometheus reads", () => {
  const text = renderFamilies([
    { name: "up", help: "here", type: "gauge", samples: [{ labels: "", value: 1 }] },
    {
      name: "ms",
      help: "time",
      type: "histogram",
      bounds: [0.5, 5],
      samples: [{ labels: labelText({ path: 'a"b\\c\nd' }), counts: [1, 0, 2], sum: 12.5 }],
    },
  ]);
  assert.equal(
    text,
    [
      "# HELP up here",
      "# TYPE up gauge",
      "up 1",
      "# HELP ms time",
      "# TYPE ms histogram",
      String.raw`ms_bucket{path="a\"b\\c\nd",le="0.5"} 1`,
      String.raw`ms_bucket{path="a\"b\\c\nd",le="5"} 1`,
      String.raw`ms_bucket{path="a\"b\\c\nd",le="+Inf"} 3`,
      String.raw`ms_sum{path="a\"b\\c\nd"} 12.5`,
      String.raw`ms_count{path="a\"b\\c\nd"} 3`,
      "",
    ].join("\n"),
  );
});
