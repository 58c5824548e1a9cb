/**
 * `control.json` in the state directory: where a running daemon listens for commands, and the secret that they need.
 * Readable by its owner only; written when the daemon listens, removed when it stops.
 *
 * @module
 */
import { join } from "@std/path";
import * as z from "zod";
import type { Failure } from "../../domain/failure.ts";

const controlFile = z.object({
  port: z.int().min(1).max(65535),
  secret: z.string().regex(/^[0-9a-f]{64}$/),
  pid: z.int().positive(),
  version: z.string(),
  /** Where the page is; null without one. */
  url: z.string().nullable(),
});

/** `secret` is 64 hex digits, new at each start of a daemon. */
export type ControlFile = z.infer<typeof controlFile>;

export function controlPath(stateDirectory: string): string {
  return join(stateDirectory, "control.json");
}

/** The file's content; null if it is not a control file. */
export function parseControlFile(text: string): ControlFile | null {
  try {
    return controlFile.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** A failure as the control channel and the API send it. */
export type SentFailure = Pick<Failure, "code" | "message" | "hint">;

/** Every answer of the daemon carries its process id: another program on the same port does not. */
export const PID_HEADER = "image-transfer-pid";
