/** What the methods that log in run on: one private sshd for all checks of a candidate, behind a proxy that counts bytes. */
import type { Method, MethodContext } from "../../src/methods/method.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { type SshdOptions, startSshd } from "../support/sshd.ts";
import { startProxy } from "../support/tcp_proxy.ts";
import { aServer, diskView, type Mount, type SshMethod, STAGING } from "./rig.ts";

/** Starts the server. `counts` is false for methods that send everything again. */
export async function overSshd(
  method: Method<SshMethod>,
  options: SshdOptions & { counts?: boolean } = {},
): Promise<Mount> {
  const server = await startSshd(options);
  const proxy = startProxy(server.port);
  const system = server.configure(createSystem());
  return {
    rig: ({ base, settings }, folder) => {
      const differences = { basePath: base ?? folder.at("base", "images"), ...settings };
      const destination = aServer(method.name, { port: proxy.port }, differences);
      const context: MethodContext = { system, stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
      return Promise.resolve({
        method,
        destination,
        context,
        view: diskView(destination.basePath),
        bytesSent: options.counts === false ? null : () => proxy.counters.up,
      });
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
