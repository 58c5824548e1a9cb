/** What hooks are: programs and webhooks that are called when something happens. */

export const HOOK_EVENTS = [
  "created",
  "changed",
  "removed",
  "ready",
  "delivered",
  "failed",
  "held",
  "resumed",
  "scheduled",
  "report",
] as const;

export type HookEventName = typeof HOOK_EVENTS[number];

/** The events that every hook hears at least once, through crashes and outages of its receiver. The others are told if it can be done. */
export const KEPT_EVENTS = ["delivered", "failed", "report"] as const satisfies readonly HookEventName[];

export type KeptEventName = typeof KEPT_EVENTS[number];

/** The only program that hooks of the compiled program may start: its permission list is fixed when it is built. */
export const HOOK_PROGRAM = "image-transfer-hook";

export const HOOK_FORMATS = ["json", "ntfy", "slack", "discord", "mattermost", "telegram"] as const;

export interface Hook {
  readonly on: readonly HookEventName[];
  readonly receiver:
    | { readonly kind: "command"; readonly argv: readonly string[]; readonly cwd: string | null }
    | {
      readonly kind: "url";
      readonly url: string;
      readonly format: typeof HOOK_FORMATS[number];
      /** Of Telegram; null with other formats. */
      readonly chatId: string | null;
      /** Signs the body; null does not. */
      readonly secret: string | null;
    };
  readonly timeoutMs: number;
  /** Only events of these destinations; null for all, and for events of none. */
  readonly destinations: readonly string[] | null;
  /** Only files that match; null for all, and for events of none. */
  readonly patterns: readonly string[] | null;
}

/** What a hook is told. Null where the event has no such thing. Times ISO 8601 in UTC, sizes in bytes. */
export interface HookEvent {
  readonly event: HookEventName;
  readonly at: string;
  /** Null with `report`. */
  readonly job: string | null;
  /** Seed 4's word for what began it. */
  readonly trigger_type: "file_change" | "scheduled";
  /** The absolute path of the file; with `scheduled`, the watched folder. */
  readonly path: string | null;
  readonly name: string | null;
  readonly size: number | null;
  readonly destination: string | null;
  /** The path at the destination, below its base path. */
  readonly target: string | null;
  readonly method: string | null;
  readonly sha256: string | null;
  readonly night: string | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly text: string;
}

/** What stands in `{…}` in the arguments of a command; each is also in the environment, as `IMAGE_TRANSFER_PATH` and so on. */
export const PLACEHOLDERS = [
  "event",
  "at",
  "job",
  "trigger_type",
  "path",
  "name",
  "size",
  "destination",
  "target",
  "method",
  "sha256",
  "night",
  "error",
  "text",
] as const satisfies readonly (keyof HookEvent)[];

/** The value of a placeholder; empty where the event has none. */
export function placeholder(name: typeof PLACEHOLDERS[number], event: HookEvent): string {
  const value = name === "error" ? event.error?.message : event[name];
  return value == null ? "" : String(value);
}

/** An argument with its placeholders filled in. They are not looked for in what was filled in. */
export function filled(argument: string, event: HookEvent): string {
  return argument.replaceAll(/\{([a-z0-9_]+)\}/g, (whole, name: string) => {
    const known = PLACEHOLDERS.find((one) => one === name);
    return known === undefined ? whole : placeholder(known, event);
  });
}

/** A placeholder of an argument that does not exist, without its braces; null if all of them do. */
export function unknownPlaceholder(argument: string): string | null {
  const names = [...argument.matchAll(/\{([a-z0-9_]+)\}/g)].map((match) => match[1]!);
  return names.find((name) => !PLACEHOLDERS.some((one) => one === name)) ?? null;
}
