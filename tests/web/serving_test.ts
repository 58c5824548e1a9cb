import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { selfSigned } from "../support/certificate.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { login, raw, webRig } from "./web_rig.ts";

Deno.test("the page and its files come from here only, with a tag that saves sending them again", async () => {
  await using rig = await webRig();
  const page = await rig.get("/");
  assertEquals([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  const html = await page.text();
  const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  assert(parts.length >= 3 && parts.every((path) => path.startsWith("/assets/")), parts.join());
  assertEquals(/<script>|style="|onclick=/.test(html), false);
  for (const path of parts) {
    const file = await rig.get(path);
    assertEquals([path, file.status], [path, 200]);
    await file.body?.cancel();
    const again = await rig.get(path, { "if-none-match": file.headers.get("etag") ?? "" });
    assertEquals([path, again.status], [path, 304]);
    await again.body?.cancel();
  }
});

Deno.test(
  "other computers reach it with token and TLS only; names of the certificate are answered, others are not",
  needs("openssl"),
  async () => {
    await using folder = await tempFolder();
    const files = await selfSigned(folder, "DNS:camera.example,DNS:localhost,IP:127.0.0.1");
    const cert = await Deno.readTextFile(files.cert);
    using client = Deno.createHttpClient({ caCerts: [cert], http2: false });
    await using rig = await webRig();
    const web = {
      listen: "0.0.0.0:0",
      token: "a token of more than sixteen",
      tls_cert: files.cert,
      tls_key: files.key,
    };
    rig.next = () => rig.settings({ web });
    assertEquals((await rig.daemon.reload()).ok, true);
    const { port, protocol, search } = new URL(rig.daemon.opening()!.once);
    assertEquals(protocol, "https:");
    const opened = await fetch(`https://localhost:${port}/${search}`, { client, redirect: "manual" });
    await opened.body?.cancel();
    const cookie = opened.headers.get("set-cookie") ?? "";
    assertEquals([opened.status, cookie.split("; ").includes("Secure"), cookie.startsWith("__Host-")], [303, true, true]);
    const statuses: [string, number][] = [];
    for (
      const host of [
        "camera.example",
        "localhost",
        `127.0.0.1:${port}`,
        "10.1.2.3",
        "evil.example",
        "camera.example.evil.example",
      ]
    ) {
      const lines = ["GET /api/status HTTP/1.1", `host: ${host}`, `cookie: ${cookie.split(";")[0]}`];
      statuses.push([host.split(":")[0]!, (await raw(Number(port), lines, "", [cert])).status]);
    }
    assertEquals(statuses, [
      ["camera.example", 200],
      ["localhost", 200],
      ["127.0.0.1", 200],
      ["10.1.2.3", 200],
      ["evil.example", 421],
      ["camera.example.evil.example", 421],
    ]);
  },
);

Deno.test("a certificate that cannot be read is a warning, and deliveries go on", async () => {
  await using rig = await webRig();
  rig.next = () => rig.settings({ web: { listen: "127.0.0.1:0", tls_cert: "/nowhere/cert.pem", tls_key: "/nowhere/key.pem" } });
  await rig.daemon.reload();
  const notices = rig.events.flatMap((event) => event.type === "notice" && event.level === "warning" ? [event.message] : []);
  assertStringIncludes(notices.at(-1) ?? "", "Cannot show the page at 127.0.0.1:0");
  rig.next = () => rig.settings();
  await rig.daemon.reload();
  assertEquals((await login(rig.daemon.opening()!.once)).response.status, 303);
});

Deno.test("a web.json that cannot be used is named, with what to do", async () => {
  await using rig = await webRig();
  rig.next = () => rig.settings({ web: false });
  await rig.daemon.reload();
  const path = rig.folder.at("state/web.json");
  await Deno.remove(path);
  await Deno.mkdir(path);
  rig.next = () => rig.settings();
  await rig.daemon.reload();
  const notices = rig.events.flatMap((event) => event.type === "notice" && event.level === "warning" ? [event.message] : []);
  assertStringIncludes(notices.at(-1) ?? "", `cannot use "${path}", which holds the access token`);
  assertStringIncludes(notices.at(-1) ?? "", "Remove it");
});
