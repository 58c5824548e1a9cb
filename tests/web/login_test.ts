/** The login form, used as a person uses it: the address typed, the token typed. */
import { assertEquals } from "@std/assert";
import type { BrowserContextOptions, Page } from "playwright-core";
import { startBrowser } from "../support/browser.ts";
import { selfSigned } from "../support/certificate.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { seriousFaults } from "./axe_faults.ts";
import { raw, webRig } from "./web_rig.ts";

const ignore = !has("chromium");
const TOKEN = "a token of more than sixteen";
const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };

const isIn = (page: Page) => page.locator(".headline h1").waitFor();

/** Types the wrong token, then the right one. */
async function twoTries(page: Page, enter: () => Promise<void>): Promise<void> {
  const field = page.getByLabel("Token");
  await field.fill("not the token");
  await enter();
  await page.getByRole("alert").getByText("Wrong access token").waitFor();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    assertEquals(await seriousFaults(page), [], colorScheme);
  }
  assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, "scrolls sideways");
  await field.fill(TOKEN);
  await enter();
  await isIn(page);
}

for (
  const { name, options } of [
    { name: "on a computer", options: {} },
    { name: "on a phone", options: PHONE },
  ]
) {
  Deno.test(`login form: a wrong token is named as such, and the right one opens the page (${name})`, { ignore }, async () => {
    await using rig = await webRig({ web: { listen: "127.0.0.1:0", token: TOKEN } });
    await using browser = await startBrowser();
    const page = await browser.open(rig.origin, options);
    await twoTries(page, () => page.getByRole("button", { name: "Log in" }).click());
    await page.reload();
    await isIn(page);
  });
}

Deno.test("login form: the keyboard is enough", { ignore }, async () => {
  await using rig = await webRig({ web: { listen: "127.0.0.1:0", token: TOKEN } });
  await using browser = await startBrowser();
  const page = await browser.open(rig.origin);
  // The field gets the focus by itself.
  await page.locator("#token:focus").waitFor();
  await page.keyboard.type("not the token");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await page.locator("#token:focus").waitFor();
  await page.keyboard.type(TOKEN);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await isIn(page);
});

Deno.test("login form: works over TLS with a certificate of one's own", { ignore: ignore || !has("openssl") }, async () => {
  await using folder = await tempFolder();
  const { cert, key } = await selfSigned(folder, "DNS:localhost,IP:127.0.0.1");
  await using rig = await webRig();
  rig.next = () => rig.settings({ web: { listen: "127.0.0.1:0", token: TOKEN, tls_cert: cert, tls_key: key } });
  assertEquals((await rig.daemon.reload()).ok, true);
  const { port, protocol } = new URL(rig.daemon.opening()!.once);
  assertEquals(protocol, "https:");
  await using browser = await startBrowser();
  for (const host of ["localhost", "127.0.0.1"]) {
    const page = await browser.open(`https://${host}:${port}/`, { ignoreHTTPSErrors: true });
    await twoTries(page, () => page.keyboard.press("Enter"));
  }
});

Deno.test(
  "login form: its post says where it comes from, so browsers without Sec-Fetch-Site get in, too",
  { ignore },
  async () => {
    await using rig = await webRig();
    await using browser = await startBrowser();
    const page = await browser.open(rig.origin);
    await page.getByLabel("Token").fill(rig.token);
    const [post] = await Promise.all([
      page.waitForRequest((request) => request.method() === "POST"),
      page.keyboard.press("Enter"),
    ]);
    assertEquals((await post.allHeaders())["origin"], rig.origin);
    await isIn(page);
  },
);

Deno.test("a post without an origin counts as our own only where the browser says that it is", async () => {
  await using rig = await webRig();
  const body = new URLSearchParams({ token: rig.token }).toString();
  const post = async (path: string, type: string, text: string, ...headers: string[]) => {
    const lines = [
      `POST ${path} HTTP/1.1`,
      `host: 127.0.0.1:${rig.port}`,
      `content-type: ${type}`,
      `content-length: ${text.length}`,
    ];
    return (await raw(rig.port, [...lines, `cookie: ${rig.cookie}`, ...headers], text)).status;
  };
  const form = (...headers: string[]) => post("/login", "application/x-www-form-urlencoded", body, ...headers);
  const act = (...headers: string[]) => post("/api/pause", "application/json", '{"destination":null}', ...headers);
  assertEquals(await form("origin: null", "sec-fetch-site: same-origin"), 303);
  for (const site of ["cross-site", "same-site", "none", "", "same-origin, cross-site"]) {
    assertEquals([site, await form("origin: null", `sec-fetch-site: ${site}`)], [site, 403]);
    assertEquals([site, await act("origin: null", `sec-fetch-site: ${site}`)], [site, 403]);
  }
  assertEquals(await form("origin: null"), 403);
  // What names another page is foreign, whatever else it says.
  assertEquals(await form("origin: https://evil.example", "sec-fetch-site: same-origin"), 403);
});

Deno.test("a sandboxed frame and a page of another port cannot log in or act", { ignore }, async () => {
  await using rig = await webRig();
  await using browser = await startBrowser();
  browser.expected.push(/./);
  const frame = `<form method=post action="${rig.origin}/login"><input name=token value="${rig.token}"></form>` +
    "<script>onmessage = () => document.forms[0].submit()</script>";
  const evil = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) =>
    new Response(
      new URL(url).pathname === "/sandboxed" ? `<iframe sandbox="allow-scripts allow-forms" srcdoc='${frame}'></iframe>` : frame,
      { headers: { "content-type": "text/html" } },
    ));
  try {
    for (const path of ["/sandboxed", "/plain"]) {
      const page = await browser.open("about:blank");
      const answered = page.waitForResponse((response) => response.url().endsWith("/login"));
      await page.goto(`http://127.0.0.1:${evil.addr.port}${path}`);
      // A sandboxed frame has a process of its own: what it sends is seen only once the browser's driver knows it.
      await page.frames().at(-1)!.waitForSelector("form");
      await page.evaluate(() => (globalThis.frames[0] ?? globalThis).postMessage("submit", "*"));
      assertEquals([path, (await answered).status()], [path, 403]);
    }
  } finally {
    await evil.shutdown();
  }
});
