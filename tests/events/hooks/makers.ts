/** What the tests of hooks begin with. */
import type { Hook, HookEvent } from "../../../src/domain/hook.ts";

/** A delivered file, unless told otherwise. */
export function aHookEvent(changes: Partial<HookEvent> = {}): HookEvent {
  return {
    event: "delivered",
    at: "2026-01-15T20:00:00.000Z",
    job: "spring",
    trigger_type: "file_change",
    path: "/data/a.fits",
    name: "a.fits",
    size: 1000,
    destination: "freya",
    target: "a.fits",
    method: "local",
    sha256: "0".repeat(64),
    night: "20260115",
    error: null,
    text: "a.fits is on freya",
    ...changes,
  };
}

/** A webhook for delivered files, unless told otherwise. */
export function aHook(changes: Partial<Hook> = {}): Hook {
  return {
    on: ["delivered"],
    receiver: aWebhook("http://127.0.0.1:9/"),
    timeoutMs: 5000,
    destinations: null,
    patterns: null,
    ...changes,
  };
}

export function aWebhook(url: string): Hook["receiver"] {
  return { kind: "url", url, format: "json", chatId: null, secret: null };
}

export function aCommand(...argv: string[]): Hook["receiver"] {
  return { kind: "command", argv, cwd: null };
}
