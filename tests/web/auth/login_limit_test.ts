import { assert, assertEquals } from "@std/assert";
import { loginLimit, TRIES } from "../../../src/web/auth/authentication.ts";

/** Whether guesses from the one address slow the other down. */
function sharesWith(one: string, other: string): boolean {
  const limit = loginLimit();
  for (let i = 0; i < TRIES; i++) limit.failed(one, 0);
  return limit.wait(other, 0) > 0;
}

const SAME = [
  ["2001:db8::1", "2001:db8::2"],
  ["2001:db8::1", "2001:db8:0:0:ffff:1:2:3"],
  ["2001:db8:0:0::1", "2001:0DB8::9"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:a:b:192.0.2.1"],
  ["fe80::1%eth0", "fe80::2%eth0"],
  ["::1", "::1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["::FFFF:192.0.2.1", "0:0:0:0:0:ffff:c000:0201"],
] as const;
for (const [one, other] of SAME) {
  Deno.test(`loginLimit() takes ${one} and ${other} for one peer`, () => assert(sharesWith(one, other)));
}

const OTHER = [
  ["2001:db8::1", "2001:db8:0:1::1"],
  ["2001:db8:1::", "2001:db8::1"],
  ["192.0.2.1", "192.0.2.2"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.2"],
  ["::ffff:192.0.2.1", "::1"],
  ["fe80::1%eth0", "fe80::1%eth1"],
  ["", "::"],
] as const;
for (const [one, other] of OTHER) {
  Deno.test(`loginLimit() keeps ${one || "an unknown one"} and ${other} apart`, () =>
    assertEquals(sharesWith(one, other), false));
}

Deno.test("loginLimit() slows a hundred guesses from one /64", () => {
  const limit = loginLimit();
  let heard = 0;
  for (let i = 1; i <= 100; i++) {
    const peer = `2001:db8::${i.toString(16)}`;
    if (limit.wait(peer, i) > 0) continue;
    heard++;
    limit.failed(peer, i);
  }
  assertEquals(heard, TRIES);
  assertEquals(limit.wait("2001:db8::1", 60_002), 0);
});
