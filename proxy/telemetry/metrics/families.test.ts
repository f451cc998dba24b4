import assert from "node:assert/strict";
import { test } from "node:test";
import { labelText, renderFamilies } from "./families.ts";

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
