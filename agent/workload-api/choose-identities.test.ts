import assert from "node:assert/strict";
import { test } from "node:test";
import { unitOf } from "./caller.ts";
import { type CallerRule, chooseIdentities, type LocalIdentity } from "./choose-identities.ts";

const reviews: LocalIdentity = { namespace: "default", serviceAccount: "reviews" };
const ratings: LocalIdentity = { namespace: "default", serviceAccount: "ratings" };
const rule = (of: LocalIdentity, uid?: number, unit?: string): CallerRule => ({ ...of, uid, unit });
const app = { uid: 1001, unit: "reviews.service" };

const cases = [
  {
    name: "a rule that fits gives its identity",
    caller: app,
    rules: [rule(reviews, 1001)],
    here: [reviews, ratings],
    want: [reviews],
  },
  {
    name: "all that a rule says must be so",
    caller: app,
    rules: [rule(reviews, 1001, "other.service")],
    here: [reviews, ratings],
    want: [],
  },
  {
    name: "the unit is enough where it is all that is said",
    caller: app,
    rules: [rule(reviews, undefined, "reviews.service")],
    here: [reviews],
    want: [reviews],
  },
  {
    name: "several rules that fit give several",
    caller: app,
    rules: [rule(reviews, 1001), rule(ratings, 1001)],
    here: [reviews, ratings],
    want: [reviews, ratings],
  },
  {
    name: "the only identity of a host is anybody's when no rule is about it",
    caller: app,
    rules: [],
    here: [reviews],
    want: [reviews],
  },
  {
    name: "also of a caller that cannot be told apart",
    caller: undefined,
    rules: [],
    here: [reviews],
    want: [reviews],
  },
  {
    name: "not when a rule is about it",
    caller: { ...app, uid: 1002 },
    rules: [rule(reviews, 1001)],
    here: [reviews],
    want: [],
  },
  {
    name: "not of an unknown caller when a rule is about it",
    caller: undefined,
    rules: [rule(reviews, 1001)],
    here: [reviews],
    want: [],
  },
  {
    name: "of two identities without rules nobody gets one",
    caller: app,
    rules: [],
    here: [reviews, ratings],
    want: [],
  },
  {
    name: "nor the one that no rule is about, beside one that has a rule",
    caller: { ...app, uid: 7 },
    rules: [rule(reviews, 1001)],
    here: [reviews, ratings],
    want: [],
  },
  {
    name: "a rule gives nothing that is not on the host",
    caller: app,
    rules: [rule(ratings, 1001)],
    here: [reviews, { ...ratings, namespace: "shop" }],
    want: [],
  },
  {
    name: "a rule that says nothing fits nobody",
    caller: app,
    rules: [rule(reviews)],
    here: [reviews],
    want: [],
  },
  {
    name: "a caller in no unit fits no unit",
    caller: { uid: 0, unit: undefined },
    rules: [rule(reviews, undefined, "reviews.service")],
    here: [reviews],
    want: [],
  },
  {
    name: "a host without identities has none to give",
    caller: app,
    rules: [rule(reviews, 1001)],
    here: [],
    want: [],
  },
];

for (const { name, caller, rules, here, want } of cases) {
  test(`choosing identities: ${name}`, () => assert.deepEqual(chooseIdentities(caller, rules, here), want));
}

const groups: readonly (readonly [string, string | undefined])[] = [
  ["0::/system.slice/reviews.service\n", "reviews.service"],
  ["0::/system.slice/system-app.slice/app@1.service/worker\n", "app@1.service"],
  ["12:pids:/x\n1:name=systemd:/system.slice/reviews.service\n", "reviews.service"],
  ["0::/user.slice/user-1000.slice/user@1000.service/app.slice/reviews.service\n", "user@1000.service"],
  ["0::/user.slice/user-1000.slice/session-3.scope\n", undefined],
  ["0::/reviews.service.d/x\n", undefined],
  ["0::/\n", undefined],
  ["", undefined],
];

for (const [cgroup, unit] of groups) {
  test(`the unit of ${JSON.stringify(cgroup)} is ${unit}`, () => assert.equal(unitOf(cgroup), unit));
}
