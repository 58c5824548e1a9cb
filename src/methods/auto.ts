/**
 * The method auto: local for this computer without a user, else rsync where both ends have a fit one, else sftp, else
 * scp. Only a missing tool leads to the next: a refused login would be refused again.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import type { Destination } from "../domain/job.ts";
import { local } from "./local.ts";
import type { Method, Session } from "./method.ts";
import { rsync } from "./rsync.ts";
import { scp } from "./scp.ts";
import { sftp } from "./sftp.ts";

/**
 * No method of its own: the session it opens names the one that was chosen.
 *
 * @throws {Failure} `tool_missing` where none of them can be used; what each of them throws besides.
 */
export const auto: Pick<Method, "connect"> = {
  async connect(destination, context, signal) {
    if (isHere(destination)) return await local.connect({ ...destination, method: "local" }, context, signal);
    const missing: string[] = [];
    for (const method of [rsync, sftp, scp]) {
      const session = await tryMethod(() => method.connect({ ...destination, method: method.name }, context, signal), missing);
      if (session) return session;
    }
    throw new Failure("tool_missing", `Cannot reach ${destination.name} by rsync, sftp or scp: ${missing.join("; ")}`, {
      hint: "Allow SFTP on the server, or install rsync on both sides.",
    });
  },
};

/** True for this computer itself. A user or a port asks for a login. */
function isHere({ host, user, port }: Pick<Destination, "host" | "user" | "port">): boolean {
  return host === null || (host.toLowerCase() === "localhost" && user === null && port === null);
}

async function tryMethod(connect: () => Promise<Session>, missing: string[]): Promise<Session | null> {
  try {
    return await connect();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "tool_missing") throw error;
    missing.push(error.message);
    return null;
  }
}
