/** The copy of the server's jobs on this disk: starts and commands read it, so that none of them waits for a network. */
import * as z from "zod";
import type { Settings } from "../settings.ts";
import type { ConfigFiles } from "./search_path.ts";
import type { RemoteJobs } from "./remote_jobs.ts";

/** Where the copy is kept. */
export function keptJobsFile({ pocketbase, stateDirectory }: Pick<Settings, "pocketbase" | "stateDirectory">): string {
  return `${pocketbase?.cacheDir ?? stateDirectory}/pocketbase-jobs.json`;
}

/** The copy, if there is one and it is of the server in the settings; null otherwise. A damaged one is fetched again. */
export async function keptJobs(
  settings: Pick<Settings, "pocketbase" | "stateDirectory">,
  system: Pick<ConfigFiles, "read">,
): Promise<RemoteJobs | null> {
  const bytes = await system.read(keptJobsFile(settings), 0, MOST_BYTES).catch(() => null);
  if (bytes === null) return null;
  const kept = keptSchema.safeParse(jsonOf(bytes)).data;
  const isOfThisServer = kept !== undefined && kept.url === settings.pocketbase?.url &&
    (settings.pocketbase.instance ?? kept.instance) === kept.instance;
  return isOfThisServer ? kept : null;
}

const MOST_BYTES = 64 * 1024 * 1024;

const keptSchema = z.object({
  url: z.string(),
  instance: z.string(),
  fetchedAt: z.number(),
  jobs: z.array(
    z.object({
      name: z.string(),
      settings: z.record(z.string(), z.unknown()),
      id: z.string().exactOptional(),
      removedAt: z.number().exactOptional(),
    }),
  ),
});

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
