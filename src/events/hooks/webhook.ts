/**
 * The requests that webhooks get.
 *
 * @module
 */
import type { Hook, HookEvent } from "../../domain/hook.ts";

/** A POST request. */
export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Webhook = Extract<Hook["receiver"], { kind: "url" }>;

/** Discord refuses longer messages, ntfy makes a file of them. */
const LONGEST = 1900;

/**
 * What the webhook is sent. `id` is the same when an event is sent again, so that a receiver can leave out what it has already.
 * The signature is the HMAC (RFC 2104) with SHA-256 of `<timestamp>.<body>`, in hexadecimal digits.
 */
export async function webhookRequest(hook: Webhook, event: HookEvent, id: string, now: number): Promise<WebhookRequest> {
  const { url, message } = bodyOf(hook, event);
  const body = JSON.stringify(message);
  const headers = { "content-type": "application/json", "user-agent": "image-transfer", "x-image-transfer-id": id };
  if (hook.secret === null) return { url, headers, body };
  const timestamp = String(Math.floor(now / 1000));
  const signature = `sha256=${await hmac(hook.secret, `${timestamp}.${body}`)}`;
  return {
    url,
    headers: { ...headers, "x-image-transfer-timestamp": timestamp, "x-image-transfer-signature": signature },
    body,
  };
}

function bodyOf({ url, format, chatId }: Webhook, event: HookEvent): { url: string; message: unknown } {
  const text = event.text.length > LONGEST ? `${event.text.slice(0, LONGEST)}…` : event.text;
  switch (format) {
    case "json":
      return { url, message: event };
    case "slack":
      return { url, message: { text: text.replace(/[&<>]/g, (sign) => SLACK_ESCAPES[sign]!) } };
    case "mattermost":
      return { url, message: { text: withoutMentions(text) } };
    case "discord":
      // A file name must not call everybody on the channel.
      return { url, message: { content: text, allowed_mentions: { parse: [] } } };
    case "telegram":
      return { url, message: { chat_id: chatId, text: withoutMentions(text) } };
    case "ntfy":
      return ntfy(url, event, text);
    default:
      return format satisfies never;
  }
}

/** `<!channel>` would call everybody: https://docs.slack.dev/messaging/formatting-message-text/#escaping */
const SLACK_ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** A name that begins with `@` would call people: an invisible character behind the sign keeps it a name. */
function withoutMentions(text: string): string {
  return text.replace(/(?<!\w)@(?=\w)/g, "@\u200b");
}

/** As JSON to the address of the server, which unlike headers may have any letter: https://docs.ntfy.sh/publish/#publish-as-json */
function ntfy(url: string, { event }: HookEvent, message: string): { url: string; message: unknown } {
  const server = new URL(url);
  const topic = server.pathname.split("/").filter((part) => part !== "").at(-1) ?? "";
  server.pathname = server.pathname.replace(/[^/]+\/*$/, "");
  const isBad = event === "held" || event === "failed";
  return {
    url: server.href,
    message: { topic, title: "image-transfer", message, priority: isBad ? 4 : 3, tags: [isBad ? "warning" : "telescope"] },
  };
}

async function hmac(secret: string, text: string): Promise<string> {
  const utf8 = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", utf8.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8.encode(text)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
