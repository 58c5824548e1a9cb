import { assertEquals } from "@std/assert";
import { Hono } from "hono";
import { isLoopback } from "../../../src/web/auth/access.ts";
import { authentication } from "../../../src/web/auth/authentication.ts";

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

Deno.test("a ticket opens once, within two minutes", () => {
  let now = 1_000;
  const access = { token: "t".repeat(64), configured: true, cookie: { name: "c", value: "v" } };
  const auth = authentication(access, false, () => now);
  const [inTime, late] = [auth.ticket(), auth.ticket()];
  now += 120_000;
  assertEquals([auth.login(inTime, "peer").in, auth.login(inTime, "peer").in], [true, false]);
  now += 1;
  assertEquals(auth.login(late, "peer").in, false);
});

Deno.test("metrics_token opens metrics and health, and neither page nor session; guessing it is slowed down", async () => {
  const access = { token: "t".repeat(64), configured: true, cookie: { name: "c", value: "v" } };
  const auth = authentication(access, false, () => 0, "m".repeat(16));
  const app = new Hono();
  app.get("/monitor", (c) => c.json(auth.mayMonitor(c, "peer").in));
  app.get("/page", (c) => c.json(auth.knows(c, "other").in));
  const ask = async (path: string, token: string) =>
    await (await app.request(path, { headers: { authorization: `Bearer ${token}` } })).json();
  assertEquals(await ask("/monitor", "m".repeat(16)), true);
  assertEquals(await ask("/monitor", "t".repeat(64)), true);
  assertEquals(await ask("/page", "m".repeat(16)), false);
  assertEquals(auth.login("m".repeat(16), "third").in, false);
  for (let guess = 0; guess < 20; guess++) assertEquals(await ask("/monitor", `guess${guess}`), false);
  assertEquals(await ask("/monitor", "m".repeat(16)), false);
});
