import { assertEquals } from "@std/assert";
import { Hono } from "hono";
import { isLoopback } from "../../../src/web/auth/access.ts";
import { authentication } from "../../../src/web/auth/authentication.ts";
import { type Access, sessions } from "../../../src/web/auth/token.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

for (const address of ["127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1"]) {
  Deno.test(`isLoopback() knows ${address}`, () => assertEquals(isLoopback(address), true));
}

for (
  const address of [
    "192.168.1.2",
    "10.0.0.1",
    "128.0.0.1",
    "1.127.0.0.1",
    "127.0.0.1.example.org",
    "::2",
    "fe80::1",
    "2001:db8::1",
    "",
  ]
) {
  Deno.test(`isLoopback() takes "${address}" for another computer`, () => assertEquals(isLoopback(address), false));
}

function anAccess(token: string): Access {
  return {
    token,
    configured: true,
    cookieName: "c",
    sessions: sessions([], CLOCK, () => undefined),
    saved: () => Promise.resolve(),
  };
}

const CLOCK = { now: () => 0, monotonic: () => 0, randomHex: createFakeClock().randomHex };

const yes = () => Promise.resolve(true);
const no = () => Promise.resolve(false);

Deno.test("a ticket opens once, within two minutes", async () => {
  let now = 1_000;
  const auth = authentication(anAccess("t".repeat(64)), false, { ...CLOCK, monotonic: () => now });
  const isIn = async (ticket: string, isOwn = yes) => (await auth.login(ticket, "peer", isOwn)).in;
  const [inTime, late] = [auth.ticket("any"), auth.ticket("any")];
  now += 120_000;
  assertEquals([await isIn(inTime, no), await isIn(inTime)], [true, false]);
  now += 1;
  assertEquals(await isIn(late), false);
});

Deno.test("a ticket that others could read opens for this account only, and others do not use it up", async () => {
  const auth = authentication(anAccess("t".repeat(64)), false, CLOCK);
  const ticket = auth.ticket("own");
  const isIn = async (isOwn: typeof yes) => (await auth.login(ticket, "peer", isOwn)).in;
  assertEquals([await isIn(no), await isIn(yes), await isIn(yes)], [false, true, false]);
});

Deno.test("wrong tokens of another account do not lock out the right one where nobody can guess it", async () => {
  const isIn = async (token: string) => {
    const auth = authentication(anAccess(token), false, CLOCK);
    for (let guess = 0; guess < 20; guess++) await auth.login(`guess${guess}`, "127.0.0.1", yes);
    return (await auth.login(token, "127.0.0.1", yes)).in;
  };
  assertEquals([await isIn("t".repeat(64)), await isIn("t".repeat(32)), await isIn("t".repeat(31))], [true, true, false]);
});

Deno.test("metrics_token opens metrics and health, and neither page nor session; guessing it is slowed down", async () => {
  const auth = authentication(anAccess("t".repeat(64)), false, CLOCK, "m".repeat(16));
  const app = new Hono();
  app.get("/monitor", (c) => c.json(auth.mayMonitor(c, "peer").in));
  app.get("/page", (c) => c.json(auth.knows(c, "other").in));
  const ask = async (path: string, token: string) =>
    await (await app.request(path, { headers: { authorization: `Bearer ${token}` } })).json();
  assertEquals(await ask("/monitor", "m".repeat(16)), true);
  assertEquals(await ask("/monitor", "t".repeat(64)), true);
  assertEquals(await ask("/page", "m".repeat(16)), false);
  assertEquals((await auth.login("m".repeat(16), "third", yes)).in, false);
  for (let guess = 0; guess < 20; guess++) assertEquals(await ask("/monitor", `guess${guess}`), false);
  assertEquals(await ask("/monitor", "m".repeat(16)), false);
});
