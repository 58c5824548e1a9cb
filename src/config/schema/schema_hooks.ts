/** The key `hooks` of a job: programs and webhooks to call when something happens. */
import * as z from "zod";
import { type Hook, HOOK_EVENTS, HOOK_FORMATS, PLACEHOLDERS, unknownPlaceholder } from "../../domain/hook.ts";
import { duration, oneOf, text, texts } from "./values.ts";

const DAY = 86_400_000;
const ADDRESS = "the address of a webhook, like https://chat.example/hooks/abc";
/** The name of an environment variable that has the address. */
const VARIABLE = /^\$(\w+|\{\w+\})$/;

const hookKeys = z.strictObject({
  on: z.array(oneOf(HOOK_EVENTS), "must be a list of events").min(1, "must name at least one event")
    .meta({ description: "The events that trigger it" }),
  command: texts("words: the program and its arguments").min(1, "must name a program").optional()
    .meta({ description: "Program and arguments, with placeholders like `{path}`" }),
  working_directory: text("a folder").optional().meta({ description: "The folder that the program starts in" }),
  url: text(ADDRESS).refine((url) => VARIABLE.test(url) || isAddress(url), `must be ${ADDRESS}`).optional()
    .meta({ description: "Or a webhook to post to", writeOnly: true }),
  format: oneOf(HOOK_FORMATS).optional()
    .meta({ description: "What the webhook gets: `json` (the whole event), or a message as the named service expects it" }),
  chat_id: z.union([text("a chat"), z.number()], "must be the ID of a chat").optional()
    .meta({ description: "With `format: telegram`: the chat to write to" }),
  secret: text("a secret").optional().meta({ description: "Key that signs the webhook's requests", writeOnly: true }),
  timeout_seconds: duration("seconds", 100, DAY).prefault(60).meta({ description: "Time limit" }),
  destinations: texts("destinations").optional().meta({ description: "Only for these destinations" }),
  patterns: texts('patterns, like ["*.fits"]').optional().meta({ description: "Only for files that match" }),
}, "must be a section, like {on: [held, failed], url: https://ntfy.sh/my-topic, format: ntfy}");

export const hookKey = {
  hooks: z.union([
    z.literal(false).transform((): Hook[] => []),
    z.array(hookKeys.transform(hookOf), "must be a list of hooks"),
  ], "must be a list of hooks").prefault([]).meta({
    description:
      "Programs or webhooks to call on events: `created`, `changed`, `removed`, `ready`, `delivered`, `failed`, `held`, `resumed`, `scheduled`, `report`",
  }),
};

type HookKeys = z.output<typeof hookKeys>;

function hookOf(keys: HookKeys, context: z.RefinementCtx): Hook {
  // An unknown key may be a misspelt one of these.
  if (context.issues.length > 0) return z.NEVER;
  const { on, command, url, destinations = null, patterns = null } = keys;
  const wrong = url === undefined ? wrongCommand(keys) : wrongWebhook(keys);
  if (wrong !== null) {
    context.addIssue({ code: "custom", ...wrong });
    return z.NEVER;
  }
  const receiver: Hook["receiver"] = url === undefined
    ? { kind: "command", argv: command ?? [], cwd: keys.working_directory ?? null }
    : {
      kind: "url",
      url,
      format: keys.format ?? "json",
      chatId: keys.chat_id === undefined ? null : String(keys.chat_id),
      secret: keys.secret ?? null,
    };
  return { on, receiver, timeoutMs: keys.timeout_seconds, destinations, patterns };
}

function isAddress(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? "");
}

interface Wrong {
  readonly message: string;
  readonly path: string[];
}

function wrongCommand({ command, format, secret, chat_id }: HookKeys): Wrong | null {
  if (command === undefined) return { message: "must have a command or a url", path: [] };
  const [only] = Object.entries({ format, secret, chat_id }).filter(([, value]) => value !== undefined);
  if (only !== undefined) return { message: "must be left out: it is for webhooks", path: [only[0]] };
  const unknown = command.map(unknownPlaceholder).find((name) => name !== null);
  if (unknown === undefined) return null;
  const known = PLACEHOLDERS.map((name) => `{${name}}`).join(", ");
  return { message: `must have known placeholders only, ${known}; {${unknown}} is none`, path: ["command"] };
}

function wrongWebhook({ command, working_directory, url, format, chat_id }: HookKeys): Wrong | null {
  if (command !== undefined) return { message: "must have a command or a url, not both", path: [] };
  if (working_directory !== undefined) return { message: "must be left out: it is for commands", path: ["working_directory"] };
  if ((format === "telegram") !== (chat_id !== undefined)) {
    return { message: "must be set with format: telegram, and only with it", path: ["chat_id"] };
  }
  const isServerOnly = URL.parse(url ?? "")?.pathname.replaceAll("/", "") === "";
  return format === "ntfy" && isServerOnly
    ? { message: "must end with the topic, like https://ntfy.sh/my-topic", path: ["url"] }
    : null;
}
