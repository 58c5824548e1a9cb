import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MOST_IDS } from "../../src/reports/actions.ts";
import type { ApiFailure } from "../../src/reports/api_types.ts";
import { has } from "../support/needs.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { live, login, raw, webRig } from "./web_rig.ts";

Deno.test("a token in the address becomes a cookie that scripts cannot read, and leaves the address", async () => {
  await using rig = await webRig();
  const { response, cookie } = await login(`${rig.origin}/?token=${rig.token}`);
  assertEquals([response.status, response.headers.get("location")], [303, "/"]);
  assertMatch(
    response.headers.get("set-cookie") ?? "",
    /^image-transfer-[0-9a-f]{8}=[0-9a-f]{64}; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  assert(!cookie.includes(rig.token));
  const page = await fetch(`${rig.origin}/api/status`, { headers: { cookie } });
  assertEquals(page.status, 200);
  await page.body?.cancel();
});

Deno.test("the token is kept for its owner only, and survives a restart as sessions do", async () => {
  await using rig = await webRig();
  const { mode } = await Deno.stat(rig.folder.at("state/web.json"));
  if (Deno.build.os !== "windows") assertEquals((mode ?? 0) & 0o777, 0o600);
  rig.next = () => rig.settings({ web: false });
  await rig.daemon.reload();
  rig.next = () => rig.settings();
  await rig.daemon.reload();
  const { origin } = new URL(rig.daemon.opening()!.once);
  const again = await fetch(`${origin}/api/status`, { headers: { cookie: rig.cookie } });
  assertEquals(again.status, 200);
  await again.body?.cancel();
});

Deno.test("no log line holds the token", async () => {
  await using rig = await webRig();
  assert(!JSON.stringify(rig.events).includes(rig.token));
  assertStringIncludes(JSON.stringify(rig.events), `The page is at ${rig.origin}/`);
});

Deno.test("without a session nothing is told, and the page asks for the token", async () => {
  await using rig = await webRig();
  for (
    const path of [
      "status",
      "deliveries",
      "deliveries.csv",
      "images",
      "images/1",
      "setup",
      "nights",
      "night/tonight",
      "trouble",
      "live",
      "preview/1.png",
      "cards/1",
    ]
  ) {
    const response = await fetch(`${rig.origin}/api/${path}`);
    assertEquals([path, response.status], [path, 401]);
    await response.body?.cancel();
  }
  for (const path of ["retry", "pause", "resume", "scan", "doctor"]) {
    const response = await rig.post(`/api/${path}`, { destination: null, ids: null }, { cookie: "" });
    assertEquals([path, response.status], [path, 401]);
    await response.body?.cancel();
  }
  const page = await fetch(`${rig.origin}/`);
  assertEquals(page.status, 401);
  assertStringIncludes(await page.text(), 'action="/login"');
});

Deno.test("scripts show the token in a header", async () => {
  await using rig = await webRig();
  const ask = async (token: string) => {
    const response = await fetch(`${rig.origin}/api/status`, { headers: { authorization: `Bearer ${token}` } });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals([await ask(rig.token), await ask("wrong"), await ask(`${rig.token}x`)], [200, 401, 401]);
});

Deno.test("an address for a browser's command line works once", async () => {
  await using rig = await webRig();
  const { once } = rig.daemon.opening()!;
  assertEquals([(await login(once)).response.status, (await login(once)).response.status], [303, 401]);
});

Deno.test("who guesses tokens is not listened to for a while; the right one, which nobody guesses, and sessions go on", async () => {
  await using rig = await webRig();
  const statuses: number[] = [];
  for (let i = 0; i < 12; i++) statuses.push((await login(`${rig.origin}/?token=guess${i}`)).response.status);
  assertEquals(statuses, [...Array(9).fill(401), 429, 429, 429]);
  const { response } = await login(`${rig.origin}/?token=guess`);
  assertEquals(response.status, 429);
  assert(Number(response.headers.get("retry-after")) > 0);
  assertEquals((await login(`${rig.origin}/?token=${rig.token}`)).response.status, 303);
  const session = await rig.get("/api/status");
  assertEquals(session.status, 200);
  await session.body?.cancel();
});

Deno.test("a clock that is set back does not lock out longer who guessed tokens", async () => {
  let setBackMs = 0;
  await using rig = await webRig({}, { now: () => Date.now() - setBackMs });
  for (let i = 0; i < 10; i++) await login(`${rig.origin}/?token=guess${i}`);
  setBackMs = 3_600_000;
  const { response } = await login(`${rig.origin}/?token=guess`);
  assertEquals(response.status, 429);
  assert(Number(response.headers.get("retry-after")) <= 60, response.headers.get("retry-after") ?? "");
});

Deno.test("each browser has a session of its own; logging out ends it, or all", async () => {
  await using rig = await webRig();
  const other = (await login(`${rig.origin}/?token=${rig.token}`)).cookie;
  assert(other !== rig.cookie);
  const statusOf = async (cookie: string) => {
    const response = await fetch(`${rig.origin}/api/status`, { headers: { cookie } });
    await response.body?.cancel();
    return response.status;
  };
  const logOut = async (cookie: string, body: string) => {
    const headers = { cookie, "content-type": "application/x-www-form-urlencoded", origin: rig.origin };
    const response = await fetch(`${rig.origin}/logout`, { method: "POST", headers, body, redirect: "manual" });
    await response.body?.cancel();
    return response.status;
  };
  await using page = await live(rig);
  assertEquals(await logOut("", "everywhere=yes"), 303);
  assertEquals([await statusOf(rig.cookie), await statusOf(other), page.socket.readyState], [200, 200, WebSocket.OPEN]);
  assertEquals(await logOut(rig.cookie, ""), 303);
  assertEquals([await statusOf(rig.cookie), await statusOf(other)], [401, 200]);
  assertEquals((await page.closed).code, 1012);
  const third = (await login(`${rig.origin}/?token=${rig.token}`)).cookie;
  await logOut(third, "everywhere=yes");
  assertEquals([await statusOf(third), await statusOf(other)], [401, 401]);
  assertEquals((await rig.folder.read("state/web.json")).includes(third.split("=")[1]!), false);
});

Deno.test("metrics and health need a token through a proxy on this computer, and everywhere once there is one for monitors", async () => {
  await using rig = await webRig();
  const statusOf = async (origin: string, headers: Record<string, string>) => {
    const response = await fetch(`${origin}/health`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  const forwarded = { "x-forwarded-for": "192.0.2.1" };
  assertEquals([await statusOf(rig.origin, {}), await statusOf(rig.origin, forwarded)], [200, 401]);
  assertEquals(await statusOf(rig.origin, { ...forwarded, authorization: `Bearer ${rig.token}` }), 200);
  rig.next = () =>
    rig.settings({ web: { listen: "127.0.0.1:0", metrics_token: "for monitors and for nobody else".replaceAll(" ", "-") } });
  assertEquals((await rig.daemon.reload()).ok, true);
  const { origin } = new URL(rig.daemon.opening()!.once);
  const authorization = "Bearer for-monitors-and-for-nobody-else";
  assertEquals([await statusOf(origin, {}), await statusOf(origin, { authorization })], [401, 200]);
});

Deno.test("the address that open hands to a browser is of no use to another account", {
  ignore: Deno.build.os !== "linux" || !has("root"),
}, async () => {
  await using rig = await webRig();
  const { once } = rig.daemon.opening()!;
  const script = `exec 3<>/dev/tcp/127.0.0.1/${rig.port}; ` +
    `printf 'GET /?${once.split("?")[1]} HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n' >&3; head -1 <&3`;
  const { stdout } = await new Deno.Command("bash", { args: ["-c", script], uid: 65534, gid: 65534 }).output();
  assertStringIncludes(new TextDecoder().decode(stdout), "401");
  assertEquals((await login(once)).response.status, 303);
});

Deno.test("the login form takes the token by POST", async () => {
  await using rig = await webRig();
  const form = (token: string, headers: Record<string, string> = {}) =>
    fetch(`${rig.origin}/login`, { method: "POST", body: new URLSearchParams({ token }), redirect: "manual", headers });
  const right = await form(rig.token);
  assertEquals([right.status, right.headers.get("set-cookie")?.split("=")[0]], [303, rig.cookie.split("=")[0]]);
  await right.body?.cancel();
  const wrong = await form("<script>alert(1)</script>");
  assertEquals(wrong.status, 401);
  assert(!(await wrong.text()).includes("<script"));
  const foreign = await form(rig.token, { origin: "https://evil.example" });
  assertEquals(foreign.status, 403);
  await foreign.body?.cancel();
});

Deno.test("another Host is refused: a name that was pointed at this computer reaches nothing", async () => {
  await using rig = await webRig();
  const ask = (host: string, path = "/api/status") =>
    raw(rig.port, [`GET ${path} HTTP/1.1`, `host: ${host}`, `cookie: ${rig.cookie}`]).then(({ status }) => status);
  for (
    const host of [
      "evil.example",
      `evil.example:${rig.port}`,
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "",
      "a b",
      "[::1",
    ]
  ) {
    assert([400, 421].includes(await ask(host)), host);
  }
  assertEquals(await ask("evil.example", "/metrics"), 421);
  assertEquals(await ask("evil.example", "/health"), 421);
  for (const host of [`127.0.0.1:${rig.port}`, "localhost", "localhost:8000", "[::1]:8000", "LOCALHOST:1"]) {
    assertEquals([host, await ask(host)], [host, 200]);
  }
});

Deno.test("another Origin is refused, whatever it asks and however it calls itself", async () => {
  await using rig = await webRig();
  const origins = [
    "https://evil.example",
    "null",
    `https://127.0.0.1:${rig.port}`,
    "http://127.0.0.1:1",
    `http://localhost:${rig.port}`,
    "file://",
  ];
  for (const origin of origins) {
    for (
      const response of [
        await rig.post("/api/pause", { destination: null }, { origin }),
        await rig.get("/api/status", { origin }),
        await rig.get("/api/setup", { origin }),
        await rig.post("/api/doctor", {}, { origin }),
      ]
    ) {
      assertEquals([origin, response.status], [origin, 403]);
      assertEquals(response.headers.get("access-control-allow-origin"), null);
      await response.body?.cancel();
    }
  }
  for (const site of ["cross-site", "same-site"]) {
    const { status } = await raw(rig.port, [
      "GET /api/status HTTP/1.1",
      `host: 127.0.0.1:${rig.port}`,
      `cookie: ${rig.cookie}`,
      `sec-fetch-site: ${site}`,
      "sec-fetch-mode: no-cors",
      "sec-fetch-dest: script",
    ]);
    assertEquals(status, 403);
  }
  assertEquals(rig.daemon.ledger.pausedBy("nas"), null);
});

Deno.test("a WebSocket of another page, or without a session, is refused", async () => {
  await using rig = await webRig();
  const upgrade = (headers: readonly string[]) =>
    raw(rig.port, [
      "GET /api/live HTTP/1.1",
      `host: 127.0.0.1:${rig.port}`,
      "upgrade: websocket",
      "sec-websocket-version: 13",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    ]).then(({ status }) => status);
  assertEquals(await upgrade([`cookie: ${rig.cookie}`, "origin: https://evil.example"]), 403);
  assertEquals(await upgrade([`origin: ${rig.origin}`]), 401);
  assertEquals(await upgrade([`cookie: ${rig.cookie.slice(0, -1)}x`, `origin: ${rig.origin}`]), 401);
});

Deno.test("GET changes nothing", async () => {
  await using rig = await webRig();
  for (const action of ["retry", "pause", "resume", "scan", "doctor"]) {
    const response = await rig.get(`/api/${action}?destination=nas`);
    assertEquals([action, response.status, response.headers.get("allow")], [action, 405, "POST"]);
    await response.body?.cancel();
  }
  assertEquals(rig.daemon.ledger.pausedBy("nas"), null);
});

Deno.test("a form of another page cannot act: the body must be JSON, of the right shape, and small", async () => {
  await using rig = await webRig();
  const statusOf = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await rig.post("/api/pause", body, headers);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await statusOf('{"destination":null}', { "content-type": "text/plain" }), 415);
  assertEquals(await statusOf('{"destination":null}', { "content-type": "application/jsonp" }), 415);
  for (
    const body of [
      "",
      "{",
      "null",
      "[]",
      '{"destination":7}',
      '{"destination":null,"command":"rm"}',
      '{"__proto__":{}}',
      '{"destination":""}',
    ]
  ) {
    assertEquals([body, await statusOf(body)], [body, 400]);
  }
  assertEquals(await statusOf(`{"destination":"${"x".repeat(600_000)}"}`), 413);
  // Without a length in advance.
  const endless = ReadableStream.from(Array(600).fill(new Uint8Array(1000)));
  const response = await fetch(`${rig.origin}/api/pause`, {
    method: "POST",
    body: endless,
    headers: { cookie: rig.cookie, origin: rig.origin, "content-type": "application/json" },
  });
  assertEquals(response.status, 413);
  await response.body?.cancel();
  assertEquals(rig.daemon.ledger.pausedBy("nas"), null);
});

Deno.test("/api/retry takes as many ids as it allows, whatever their length, and says when there are more", async () => {
  await using rig = await webRig();
  const ids = (count: number) => ({ ids: Array.from({ length: count }, (_, i) => 999_900_000 + i) });
  const most = await rig.post("/api/retry", ids(MOST_IDS));
  assertEquals([most.status, await most.json()], [200, { count: 0 }]);
  const more = await rig.post("/api/retry", ids(MOST_IDS + 1));
  assertEquals(more.status, 400);
  assertStringIncludes((await more.json() as ApiFailure).error.message, "50000");
});

Deno.test("no path leads to a file", async () => {
  await using rig = await webRig();
  const paths = [
    "/assets/../../../etc/passwd",
    "/assets/..%2f..%2f..%2fetc%2fpasswd",
    "/assets/%2e%2e/%2e%2e/deno.json",
    "/assets//etc/passwd",
    "/assets/....//deno.json",
    "/assets/page.js%00.css",
    "/assets/__proto__",
    "/assets/constructor",
    "/../../etc/passwd",
    "//etc/passwd",
    "/api/preview/../../../etc/passwd.png",
    "/api/preview/%2e%2e%2f1.png",
    "/api/preview/1e1.png",
    "/api/deliveries/-1",
    "/api/deliveries/99999999999999999999",
    "/web.json",
    "/.git/config",
  ];
  for (const path of paths) {
    const { status, text } = await raw(rig.port, [
      `GET ${path} HTTP/1.1`,
      `host: 127.0.0.1:${rig.port}`,
      `cookie: ${rig.cookie}`,
    ]);
    assert([400, 404].includes(status), `${path}: ${status}`);
    assert(!/root:|"imports"|"token"/.test(text), path);
  }
});

Deno.test("every answer forbids inline scripts, frames, sniffing and being read by other pages", async () => {
  await using rig = await webRig();
  for (const path of ["/api/status", "/health", "/metrics", "/nowhere", "/assets/login.css", "/?token=x"]) {
    const { headers, body } = await rig.get(path);
    await body?.cancel();
    const policy = headers.get("content-security-policy") ?? "";
    assertStringIncludes(policy, "default-src 'none'");
    assertStringIncludes(policy, "frame-ancestors 'none'");
    assert(!policy.includes("unsafe"), path);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("access-control-allow-origin"), null);
  }
});

Deno.test("names with markup and control characters pass as data, never as HTML", async () => {
  await using rig = await webRig();
  const name = "<img src=x onerror=alert(1)>\u202e\n.fits";
  await rig.folder.write(`data/${name}`, fitsFile(3000));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
  const response = await rig.get("/api/deliveries");
  assertEquals(response.headers.get("content-type"), "application/json");
  assertEquals((await response.json())[0].name, name);
  const csv = await (await rig.get("/api/deliveries.csv")).text();
  assertStringIncludes(csv, '"');
  const { status, text } = await raw(rig.port, ["GET /<script>alert(1)</script> HTTP/1.1", `host: 127.0.0.1:${rig.port}`]);
  assert(status >= 400 && !text.includes("<script>"));
});

Deno.test("a page that speaks on the live stream is hung up on, however much it says", async () => {
  await using rig = await webRig();
  for (const said of ["{}", "x".repeat(5_000_000), new Uint8Array(10)]) {
    const page = await live(rig);
    await page.until(({ type }) => type === "snapshot");
    page.socket.send(said);
    assertEquals((await page.closed).code, 1008);
  }
  await using another = await live(rig);
  assertEquals((await another.until(({ type }) => type === "snapshot")).type, "snapshot");
});

Deno.test("broken requests and frames hurt nobody else", async () => {
  await using rig = await webRig();
  const junk = [
    "GET\r\n\r\n",
    "\x00\x01\x02\x03".repeat(1000),
    "GET / HTTP/1.1\r\nhost: localhost\r\n" + "x: y\r\n".repeat(5000) + "\r\n",
  ];
  for (const text of junk) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
    await connection.write(new TextEncoder().encode(text));
  }
  using torn = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
  const lines = [
    "GET /api/live HTTP/1.1",
    `host: 127.0.0.1:${rig.port}`,
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    `cookie: ${rig.cookie}`,
    `origin: ${rig.origin}`,
    "",
    "",
  ];
  await torn.write(new TextEncoder().encode(lines.join("\r\n")));
  await torn.read(new Uint8Array(1000));
  await torn.write(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  const answer = await rig.get("/api/status");
  assertEquals(answer.status, 200);
  await answer.body?.cancel();
});

Deno.test("90 idle pages cost no delivery, and all hear of it", async () => {
  await using rig = await webRig();
  const pages = await Promise.all(Array.from({ length: 90 }, () => live(rig)));
  try {
    await Promise.all(pages.map((page) => page.until(({ type }) => type === "snapshot")));
    await rig.folder.write("data/a.fits", fitsFile(3000));
    await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
    await Promise.all(
      pages.map((page) =>
        page.until((message) => message.type === "change" && message.deliveries.some(({ state }) => state === "delivered"))
      ),
    );
  } finally {
    await Promise.all(pages.map((page) => page[Symbol.asyncDispose]()));
  }
});

Deno.test("no request reaches the routes of the other listener: the page's address has no command, the control channel no page, whatever it is asked with", async () => {
  await using rig = await webRig();
  const control = JSON.parse(await rig.folder.read("state/control.json")) as { port: number; secret: string };
  const commands = [
    "settings",
    "live",
    "stop",
    "reload",
    "sync",
    "retry",
    "send-again",
    "mark-gone",
    "forget",
    "accept-removals",
    "opening",
  ];
  for (const secret of [rig.token, control.secret]) {
    for (
      const path of commands.flatMap((name) => [`/${name}`, `/commands/${name}`, `//commands/${name}`, `/../commands/${name}`])
    ) {
      for (const method of ["GET", "POST"]) {
        const lines = [`${method} ${path} HTTP/1.1`, `host: 127.0.0.1:${rig.port}`, `authorization: Bearer ${secret}`];
        const { status } = await raw(rig.port, [...lines, "content-type: application/json", "content-length: 2"], "{}");
        assertEquals([method, path, status], [method, path, 404]);
      }
    }
  }
  for (const path of ["/", "/api/status", "/page/api/status", "/assets/page.js", "/login", "/health", "/metrics"]) {
    const lines = [`GET ${path} HTTP/1.1`, `host: 127.0.0.1:${control.port}`, `cookie: ${rig.cookie}`];
    assertEquals([path, (await raw(control.port, lines)).status], [path, 403]);
    const { status } = await raw(control.port, [...lines, `authorization: Bearer ${control.secret}`]);
    assertEquals([path, status], [path, 404]);
  }
  assertEquals(rig.daemon.ending.aborted, false);
});
