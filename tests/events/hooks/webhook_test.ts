import { assertEquals } from "@std/assert";
import { createHmac } from "node:crypto";
import { webhookRequest } from "../../../src/events/hooks/call_hook.ts";
import type { Hook, HookEvent } from "../../../src/domain/hook.ts";
import { aHookEvent } from "./makers.ts";

type Webhook = Extract<Hook["receiver"], { kind: "url" }>;

async function bodyFor(changes: Partial<Webhook>, event: Partial<HookEvent> = {}) {
  const hook: Webhook = {
    kind: "url",
    url: "https://chat.example/hooks/abc",
    format: "json",
    chatId: null,
    secret: null,
    ...changes,
  };
  const { url, body, headers } = await webhookRequest(hook, aHookEvent(event), "abc-1", 1_700_000_000_500);
  return { url, headers, body: JSON.parse(body), text: body };
}

Deno.test("webhookRequest() sends the whole event as JSON, with an id that stays", async () => {
  const { url, body, headers } = await bodyFor({});
  assertEquals([url, body], ["https://chat.example/hooks/abc", { ...aHookEvent() }]);
  assertEquals(headers["x-image-transfer-id"], "abc-1");
});

Deno.test("webhookRequest() signs time and body, so that a receiver can check both (HMAC-SHA-256)", async () => {
  const { headers, text } = await bodyFor({ secret: "key" });
  const expected = createHmac("sha256", "key").update(`1700000000.${text}`).digest("hex");
  assertEquals(headers["x-image-transfer-timestamp"], "1700000000");
  assertEquals(headers["x-image-transfer-signature"], `sha256=${expected}`);
});

Deno.test("webhookRequest() writes what each service expects", async () => {
  const text = "freya is on hold: the disk is full";
  assertEquals((await bodyFor({ format: "slack" }, { text })).body, { text });
  assertEquals((await bodyFor({ format: "mattermost" }, { text })).body, { text });
  assertEquals((await bodyFor({ format: "discord" }, { text })).body, { content: text, allowed_mentions: { parse: [] } });
  assertEquals((await bodyFor({ format: "telegram", chatId: "-42" }, { text })).body, { chat_id: "-42", text });
  const ntfy = await bodyFor({ format: "ntfy", url: "https://ntfy.example/sub/my-topic" }, { event: "held", text });
  assertEquals(ntfy.url, "https://ntfy.example/sub/");
  assertEquals(ntfy.body, { topic: "my-topic", title: "image-transfer", message: text, priority: 4, tags: ["warning"] });
});

Deno.test("webhookRequest() cuts what a chat service would refuse", async () => {
  const { body } = await bodyFor({ format: "discord" }, { text: "x".repeat(100_000) });
  assertEquals(body.content.length, 1901);
});

Deno.test("webhookRequest() lets no file name call everybody", async () => {
  const text = "<!channel> & <@U123> @all a@b could not be delivered";
  assertEquals(
    (await bodyFor({ format: "slack" }, { text })).body.text,
    "&lt;!channel&gt; &amp; &lt;@U123&gt; @all a@b could not be delivered",
  );
  for (const format of ["mattermost", "telegram"] as const) {
    assertEquals(
      (await bodyFor({ format, chatId: "1" }, { text })).body.text,
      "<!channel> & <@\u200bU123> @\u200ball a@b could not be delivered",
    );
  }
});
