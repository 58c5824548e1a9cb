import { assertEquals } from "@std/assert";
import { bareHost, isHostName, isIpv6, isUserName } from "../../../src/domain/names/host_name.ts";

const HOSTS = [
  "freya",
  "freya.example.org",
  "freya.example.org.",
  "my_alias",
  "nas-1",
  "10.0.0.7",
  "::1",
  "[::1]",
  "fe80::1%eth0",
  "[2001:db8::7]",
  "::ffff:10.0.0.7",
  "x",
];
for (const host of HOSTS) Deno.test(`isHostName() accepts ${host}`, () => assertEquals(isHostName(host), true));

const NO_HOSTS = [
  "",
  " ",
  "-oProxyCommand=x",
  "a b",
  "a\n",
  "a;b",
  "$(x)",
  "user@host",
  "host:22",
  "host/path",
  "a'",
  "[::1",
  "::1]",
  "[[::1]]",
  ":",
  "1::2::3",
  "[10.0.0.7]",
  "fe80::1%",
  "fe80::1%$(x)",
  "größe",
  "a\0",
  "-",
  "a-",
  "\u202Ea",
  "x".repeat(256),
  "12345::",
  "[freya]",
];
for (const host of NO_HOSTS) {
  Deno.test(`isHostName() refuses ${JSON.stringify(host).slice(0, 40)}`, () => assertEquals(isHostName(host), false));
}

for (const user of ["observer", "_www", "a.b-c", "DOMAIN\\user", "user@example.org", "x", "host$", "007"]) {
  Deno.test(`isUserName() accepts ${user}`, () => assertEquals(isUserName(user), true));
}
for (const user of ["", "-l", "a b", "a;b", "$(x)", "a'b", "a\n", "user\\", "\\user", "a:b", "a/b", "$", "x".repeat(256)]) {
  Deno.test(`isUserName() refuses ${JSON.stringify(user).slice(0, 40)}`, () => assertEquals(isUserName(user), false));
}

Deno.test("bareHost() takes the brackets off", () => {
  assertEquals([bareHost("[::1]"), bareHost("::1"), bareHost("freya")], ["::1", "::1", "freya"]);
  assertEquals([isIpv6("::1"), isIpv6("[::1]"), isIpv6("freya")], [true, false, false]);
});
