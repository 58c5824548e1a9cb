/** A method at work with a private sshd: sessions on a folder that the test looks into from behind. */
import type { Method, MethodContext, Session } from "../../src/methods/method.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { aServer, type Differences, type LoginDifferences, STAGING, type upload } from "../conformance/rig.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { sourceAt } from "../support/source_at.ts";

export interface Bench extends AsyncDisposable {
  readonly server: Sshd;
  readonly folder: TempFolder;
  /** A session that is attached to the folder `base`, made for it; those with the same `changes` are of one program. */
  connect(differences?: Differences, changes?: Partial<System>, login?: LoginDifferences): Promise<Session>;
  source(name: string, bytes: Uint8Array): Promise<Parameters<typeof upload>[0]>;
}

const AS_IT_IS: Partial<System> = {};

/** Starts the server; everything goes when the test ends. */
export async function openBench(
  method: Method<"rsync" | "tar" | "scp" | "sftp">,
  options: SshdOptions = {},
): Promise<Bench> {
  const signal = new AbortController().signal;
  const server = await startSshd(options);
  const folder = await tempFolder();
  const sessions: Session[] = [];
  const systems = new Map<Partial<System>, System>();
  return {
    server,
    folder,
    connect: async (differences = {}, changes = AS_IT_IS, login = {}) => {
      const at = { host: server.host, port: server.port, ...login };
      const destination = aServer(method.name, at, { basePath: folder.at("base"), ...differences });
      const system = systems.get(changes) ?? { ...server.configure(createSystem()), ...changes };
      systems.set(changes, system);
      const context: MethodContext = {
        system,
        stagingRoot: STAGING,
        workFolder: folder.at("work"),
        log: () => {},
      };
      const session = await method.connect(destination, context, signal);
      sessions.push(session);
      await session.attach(true, signal);
      return session;
    },
    source: async (name, bytes) => {
      const absolutePath = await folder.write(`source/${name}`, Uint8Array.from(bytes));
      return await sourceAt(absolutePath, name);
    },
    [Symbol.asyncDispose]: async () => {
      await server.thaw();
      for (const session of sessions) await session[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
