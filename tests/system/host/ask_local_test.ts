import { assertEquals, assertRejects } from "@std/assert";
import { serving } from "../../../src/system/host/serving.ts";

Deno.test("askLocal() asks without a proxy and does not follow redirects", async () => {
  const end = new AbortController();
  const handler = async (request: Request) =>
    request.url.endsWith("/away")
      ? Response.redirect("http://192.0.2.1/")
      : new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`, { status: 201 });
  const server = await serving.listen({ host: "127.0.0.1", port: 0, handler }, end.signal);
  const { signal } = new AbortController();
  const answer = await serving.askLocal(server.port, { method: "POST", path: "/a", headers: {}, body: "x" }, signal);
  assertEquals([answer.status, answer.text], [201, "POST /a x"]);
  assertEquals((await serving.askLocal(server.port, { method: "GET", path: "/away", headers: {} }, signal)).status, 302);
  end.abort();
  await server.finished;
  await assertRejects(() => serving.askLocal(server.port, { method: "GET", path: "/a", headers: {} }, signal), TypeError);
});

Deno.test("askLocal() ignores HTTP_PROXY", async () => {
  const url = (file: string) => JSON.stringify(new URL(`../../../src/system/host/${file}`, import.meta.url).href);
  const script = `import { serving } from ${url("serving.ts")};
    const end = new AbortController();
    const server = await serving.listen({ host: "127.0.0.1", port: 0, handler: () => new Response("here") }, end.signal);
    console.log((await serving.askLocal(server.port, { method: "GET", path: "/", headers: {} }, end.signal)).text);
    Deno.exit();`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", script],
    env: { HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9", ALL_PROXY: "http://127.0.0.1:9" },
    stderr: "inherit",
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "here\n");
});
