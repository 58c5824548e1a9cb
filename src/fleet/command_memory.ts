/**
 * What this computer knows of the commands that it was given. What it carried out is on its disk before it begins, so that no restart of
 * its own, and no server that was restored from a backup, makes it do the same again.
 *
 * @module
 */
import * as z from "zod";
import type { System } from "../system/system.ts";

const answerSchema = z.object({ state: z.enum(["done", "refused", "failed", "waiting"]), answer: z.string() });

/** What became of a command; `waiting` where its computer has not answered yet. */
export type CommandAnswer = z.infer<typeof answerSchema>;

export interface CommandMemory {
  /** What became of a command that was begun here; null if that is not known, undefined if none was begun. */
  answerOf(id: string): CommandAnswer | null | undefined;
  /** Keeps what became of it, null before it is begun. @throws where the disk cannot be written. */
  keep(id: string, answer: CommandAnswer | null): Promise<void>;
  /** Counts a command from somebody; returns how many there were within an hour. */
  count(id: string, from: string, now: number): number;
}

/** Commands are refused after an hour: of this many, the oldest are no longer of use. */
const MOST_KEPT = 1_000;
const HOUR_MS = 3_600_000;
const MOST_BYTES = 4 * 1024 * 1024;

/** With what a former process kept in this folder; a damaged file is as good as none. */
export async function commandMemory(
  stateDirectory: string,
  system: Pick<System, "read" | "writeText" | "makeFolder">,
): Promise<CommandMemory> {
  const file = `${stateDirectory}/pocketbase-commands.json`;
  const bytes = await system.read(file, 0, MOST_BYTES).catch(() => new Uint8Array());
  const begun = new Map(fileSchema.safeParse(new TextDecoder().decode(bytes)).data ?? []);
  const given = new Map<string, { readonly from: string; readonly at: number }>();
  const save = async () => {
    await system.makeFolder(stateDirectory, 0o700);
    await system.writeText(file, `${JSON.stringify([...begun].slice(-MOST_KEPT))}\n`, 0o600);
  };
  return {
    answerOf: (id) => begun.get(id),
    async keep(id, answer) {
      begun.set(id, answer);
      try {
        await save();
      } catch (error) {
        if (answer === null) begun.delete(id);
        throw error;
      }
    },
    count(id, from, now) {
      if (!given.has(id)) given.set(id, { from, at: now });
      for (const [other, { at }] of given) if (now - at > HOUR_MS) given.delete(other);
      return [...given.values()].filter((one) => one.from === from).length;
    },
  };
}

const fileSchema = z.string().transform((text, context) => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("invalid JSON");
    return z.NEVER;
  }
}).pipe(z.array(z.tuple([z.string(), answerSchema.nullable()])));
