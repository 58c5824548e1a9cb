import { assertEquals, assertRejects } from "@std/assert";
import { ask, AskError } from "../../src/web/page/store/ask.ts";

/** Answers one request with these bytes, then hangs up. */
async function asking<T>(answer: string, use: (url: string) => Promise<T>): Promise<T> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    await connection.write(new TextEncoder().encode(answer));
  })();
  try {
    return await use(`http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/api/retry`);
  } finally {
    await served;
  }
}

const answer = (body: string, length = body.length, status = "200 OK") =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n${body}`;

Deno.test("ask() gives the body of an answer", async () => {
  assertEquals(await asking(answer('{"count":2}'), (url) => ask(url, undefined, { ids: [1, 2] })), {
    value: { count: 2 },
    total: null,
  });
});

Deno.test("ask() has a word for people when an answer breaks off, is none, or is a refusal", async () => {
  const messages = [];
  for (const text of [answer('{"cou', 100), answer("<html>"), answer("<html>", 6, "502 Bad Gateway")]) {
    messages.push((await asking(text, (url) => assertRejects(() => ask(url, undefined, {}), AskError))).message);
  }
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  closed.close();
  messages.push((await assertRejects(() => ask(`http://127.0.0.1:${(closed.addr as Deno.NetAddr).port}/`), AskError)).message);
  assertEquals(messages, [
    "The daemon's answer was incomplete",
    "The daemon's answer was incomplete",
    "The daemon answered with status 502",
    "The daemon is not responding",
  ]);
});

Deno.test("ask() says nothing of its own when nobody waits any more", async () => {
  const end = new AbortController();
  end.abort();
  const error = await assertRejects(() => ask("http://127.0.0.1:1/", end.signal));
  assertEquals(error instanceof AskError, false);
});
