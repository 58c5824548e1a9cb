/** Calls a hook once, and says what is to become of the event if that fails. */
import { deadline } from "../../async/deadline.ts";
import { Failure, failureRecord, withHint } from "../../domain/failure.ts";
import { filled, type Hook, type HookEvent, placeholder, PLACEHOLDERS } from "../../domain/hook.ts";
import { counted } from "../../domain/words.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { System } from "../../system/system.ts";

/** The request itself is at fault (RFC 9110, 15.5): another one may be accepted. */
const REFUSED: ReadonlySet<number> = new Set([400, 413, 415, 422]);
const LONGEST_OUTPUT = 4000;
const LONGEST_ANSWER = 64 * 1024;
/** Discord refuses longer messages, ntfy makes a file of them. */
const LONGEST_TEXT = 1900;

export type HookSystem = Pick<System, "now" | "monotonic" | "sleep" | "random" | "run" | "hearRemote">;

/**
 * `retry`: it may work the next time, but not for ever. `wait`: the receiver is away or not allowed, the event is kept until it is
 * back. `refused`: the receiver does not want this event.
 */
type Outcome =
  | { readonly result: "ok"; readonly said: string }
  | { readonly result: "retry" | "wait" | "refused"; readonly said: string };

/** `id` names the event. Never throws, unless the signal is aborted. */
export async function callHook(
  hook: Hook,
  event: HookEvent,
  id: string,
  system: HookSystem,
  signal: AbortSignal,
): Promise<Outcome> {
  const { receiver, timeoutMs } = hook;
  using limit = deadline(timeoutMs, system, signal);
  try {
    return receiver.kind === "command"
      ? await runCommand(receiver, event, system, limit.signal)
      : await post(receiver, event, id, system, limit.signal);
  } catch (error) {
    signal.throwIfAborted();
    const result = receiver.kind === "url" || error instanceof Failure && error.code === "tool_missing" ? "wait" : "retry";
    if (limit.passed) return { result, said: `no answer within ${counted(timeoutMs / 1000, "second")}` };
    if (error instanceof TypeError && receiver.kind === "url") {
      return { result, said: `it cannot be reached: ${reasonOf(error).replaceAll(receiver.url, "…")}` };
    }
    return { result, said: withHint(failureRecord(error)) };
  }
}

type Receiver<Kind> = Extract<Hook["receiver"], { kind: Kind }>;

async function runCommand(
  { argv, cwd }: Receiver<"command">,
  event: HookEvent,
  system: HookSystem,
  signal: AbortSignal,
): Promise<Outcome> {
  const [program = "", ...args] = argv;
  const env = Object.fromEntries(
    PLACEHOLDERS.map((name) => [`IMAGE_TRANSFER_${name.toUpperCase()}`, placeholder(name, event).replaceAll("\0", "")]),
  );
  const command = { program, args: args.map((argument) => filled(argument, event)), env, ...(cwd === null ? {} : { cwd }) };
  const { code, signal: killedBy, stdout, stderr } = await system.run(command, signal);
  const said = `${stdout}\n${stderr}`.trim().slice(0, LONGEST_OUTPUT);
  if (code === 0 && killedBy === null) return { result: "ok", said };
  const how = killedBy === null ? `it exited with code ${code}` : `it was ended by ${killedBy}`;
  return { result: "retry", said: said === "" ? how : `${how}: ${said}` };
}

async function post(
  receiver: Receiver<"url">,
  event: HookEvent,
  id: string,
  system: HookSystem,
  signal: AbortSignal,
): Promise<Outcome> {
  const { url, ...request } = await webhookRequest(receiver, event, id, system.now());
  const { status, pieces } = await system.hearRemote(url, { method: "POST", ...request }, signal);
  const isOk = status >= 200 && status < 300;
  let text = "";
  try {
    for await (const piece of pieces) if ((text += piece).length > LONGEST_ANSWER) break;
  } catch (error) {
    // It has the event, however its answer ends.
    if (!isOk) throw error;
  }
  if (isOk) return { result: "ok", said: "" };
  const said = text.trim().split("\n")[0]?.slice(0, 200) ?? "";
  const how = `it responded with status ${status}${said === "" ? "" : `: ${said}`}`;
  if (status >= 300 && status < 400) {
    return { result: "wait", said: `it redirects to another address, which is not followed. Set url to that address` };
  }
  return { result: REFUSED.has(status) ? "refused" : "wait", said: how };
}

/**
 * What the webhook is sent. `id` is the same when an event is sent again, so that a receiver can leave out what it has already.
 * The signature is the HMAC (RFC 2104) with SHA-256 of `<timestamp>.<body>`, in hexadecimal digits.
 */
export async function webhookRequest(hook: Receiver<"url">, event: HookEvent, id: string, now: number) {
  const { url, message } = bodyOf(hook, event);
  const body = JSON.stringify(message);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "user-agent": "image-transfer",
    "x-image-transfer-id": id,
  };
  if (hook.secret !== null) {
    const timestamp = String(Math.floor(now / 1000));
    headers["x-image-transfer-timestamp"] = timestamp;
    headers["x-image-transfer-signature"] = `sha256=${await hmac(hook.secret, `${timestamp}.${body}`)}`;
  }
  return { url, headers, body };
}

function bodyOf({ url, format, chatId }: Receiver<"url">, event: HookEvent): { url: string; message: unknown } {
  const text = event.text.length > LONGEST_TEXT ? `${event.text.slice(0, LONGEST_TEXT)}…` : event.text;
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
